package modelbroker

import (
	"context"
	"slices"
	"time"

	"jobwatch/internal/stream"
)

// reader reads through a claimed consumer, on one connection.
type reader struct {
	conn    *Conn
	session *session
	durable *durable
	arrived []stream.Delivery // and not given by Next yet; guarded by the stream's mu, as what follows
	gone    bool              // the consumer was deleted
	closed  bool
}

// Claim does what stream.Broker's does.
func (c *Conn) Claim(ctx context.Context, d stream.Durable) (stream.Consumer, stream.DurableInfo, error) {
	s, err := c.usable()
	if err != nil {
		return nil, stream.DurableInfo{}, err
	}
	r := &reader{conn: c, session: s}
	var info stream.DurableInfo
	err = c.request(ctx, s, Call{Operation: "Claim", Subject: d.Name}, func() (err error) {
		c.stream.change(func() {
			var made bool
			if r.durable, made, err = c.stream.claim(d); err == nil {
				info = c.stream.infoOf(r.durable)
				info.Made = made
			}
		})
		return err
	})
	if err != nil {
		return nil, stream.DurableInfo{}, err
	}
	c.stream.change(func() {
		if r.closed = s.isLost(); !r.closed {
			r.durable.readers = append(r.durable.readers, r)
		}
	})
	return r, info, nil
}

// endReaders ends those of a connection that is lost. What had arrived is lost with it, and comes again when it is due.
func (s *Stream) endReaders(of *session) {
	s.change(func() {
		for _, c := range s.durables {
			for _, r := range slices.Clone(c.readers) {
				if r.session == of {
					r.end()
				}
			}
		}
	})
}

// end needs mu.
func (r *reader) end() {
	r.closed = true
	r.durable.readers = slices.DeleteFunc(r.durable.readers, func(other *reader) bool { return other == r })
}

// Next does what that of stream.Consumer does. Each delivery passes a gate, at whose error it is lost on the way.
func (r *reader) Next(ctx context.Context, most int) ([]stream.Delivery, error) {
	waiting, done := r.session.trackLong(ctx)
	defer done()
	for {
		all, changed, wakes, err := r.look(most)
		if context.Cause(waiting) != nil {
			return nil, context.Cause(waiting)
		}
		if err != nil {
			return nil, err
		}
		all = slices.DeleteFunc(all, func(d stream.Delivery) bool {
			return r.conn.pass(waiting, Call{Operation: "Deliver", Subject: d.Subject, Sequence: d.Sequence}) != nil
		})
		if len(all) > 0 {
			return all, nil
		}
		await(waiting, changed, wakes)
	}
}

// look gives what is there, or else what is closed, and when, before more can be.
func (r *reader) look(most int) (all []stream.Delivery, changed <-chan struct{}, wakes time.Time, err error) {
	s := r.conn.stream
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.gone {
		return nil, nil, wakes, stream.ErrConsumerGone
	}
	if r.closed {
		return nil, nil, wakes, stream.ErrDisconnected
	}
	s.deliver(r.durable)
	n := min(most, len(r.arrived))
	all, r.arrived = slices.Clone(r.arrived[:n]), r.arrived[n:]
	return all, s.changed, r.durable.wakes(), nil
}

func await(ctx context.Context, changed <-chan struct{}, wakes time.Time) {
	var timer <-chan time.Time
	if !wakes.IsZero() {
		t := time.NewTimer(time.Until(wakes))
		defer t.Stop()
		timer = t.C
	}
	select {
	case <-changed:
	case <-timer:
	case <-ctx.Done():
	}
}

// Written: what is said here is there at once, or lost.
func (r *reader) Written() bool { return true }

func (r *reader) Settle(d stream.Delivery) {
	r.say("Settle", d, func(*unsettled) { delete(r.durable.unsettled, d.Sequence) })
}

func (r *reader) Extend(d stream.Delivery) {
	r.say("Extend", d, func(u *unsettled) { u.due = time.Now().Add(r.durable.AckWait) })
}

func (r *reader) Return(d stream.Delivery) {
	r.say("Return", d, func(*unsettled) { r.giveBack(d) })
}

func (r *reader) giveBack(d stream.Delivery) {
	if !slices.Contains(r.durable.returned, d.Sequence) {
		r.durable.returned = append(r.durable.returned, d.Sequence)
	}
}

// say sends what has no answer. At an error of the gate it is lost.
func (r *reader) say(operation string, d stream.Delivery, act func(*unsettled)) {
	ctx, done := r.session.trackLong(context.Background())
	defer done()
	if r.conn.pass(ctx, Call{Operation: operation, Subject: d.Subject, Sequence: d.Sequence}) != nil || r.session.isLost() {
		return
	}
	r.conn.stream.change(func() {
		if u := r.durable.unsettled[d.Sequence]; u != nil {
			act(u)
		}
	})
}

// Standing does what stream.Broker's does.
func (c *Conn) Standing(ctx context.Context, name string) (info stream.DurableInfo, err error) {
	err = c.read(ctx, Call{Operation: "ConsumerInfo", Subject: name}, func() error {
		d := c.stream.durables[name]
		if d == nil {
			return stream.ErrConsumerGone
		}
		info = c.stream.infoOf(d)
		return nil
	})
	return info, err
}

func (r *reader) Info(ctx context.Context) (info stream.DurableInfo, err error) {
	s := r.conn.stream
	err = r.conn.request(ctx, r.session, Call{Operation: "ConsumerInfo", Subject: r.durable.Name}, func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if r.gone {
			return stream.ErrConsumerGone
		}
		s.deliver(r.durable)
		info = s.infoOf(r.durable)
		return nil
	})
	return info, err
}

func (r *reader) Close() {
	r.conn.stream.change(func() {
		if r.closed {
			return
		}
		for _, d := range r.arrived {
			r.giveBack(d)
		}
		r.end()
	})
}
