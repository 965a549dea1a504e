package modelbroker

import (
	"context"
	"errors"
	"fmt"

	"jobwatch/internal/stream"
)

// Publish does what stream.Broker's does.
func (c *Conn) Publish(ctx context.Context, m stream.Outgoing) (sequence uint64, err error) {
	if !carriable(m.Subject) {
		return 0, &stream.RefusedError{Reason: stream.Subject, Text: fmt.Sprintf("%.100q is no subject that NATS could carry", m.Subject)}
	}
	s, err := c.usable()
	if err != nil {
		return 0, err
	}
	duplicate := false
	err = c.request(ctx, s, Call{Operation: "Publish", Subject: m.Subject, Message: m}, func() (err error) {
		sequence, duplicate, err = c.stream.Store(m)
		return err
	})
	switch {
	case err != nil:
		return 0, err
	case duplicate:
		return sequence, c.stillThere(ctx, m, sequence)
	}
	return sequence, nil
}

func (c *Conn) stillThere(ctx context.Context, m stream.Outgoing, sequence uint64) error {
	held, err := c.At(ctx, sequence)
	if errors.Is(err, stream.ErrNone) || err == nil && (held.ID != m.ID || held.Subject != m.Subject) {
		return stream.ErrBusy
	}
	return err
}

// Trace says what stream.Broker's would: a subject leads to the stream, where there is one. It passes no gate.
func (c *Conn) Trace(context.Context, string) error {
	if _, err := c.usable(); err != nil {
		return err
	}
	c.stream.mu.Lock()
	defer c.stream.mu.Unlock()
	_, err := c.stream.info()
	return err
}

// CheckRoute is Trace, which always tells.
func (c *Conn) CheckRoute(ctx context.Context, subject string) error { return c.Trace(ctx, subject) }

// Info does what stream.Broker's does.
func (c *Conn) Info(ctx context.Context) (info stream.Info, err error) {
	err = c.read(ctx, Call{Operation: "Info"}, func() (err error) {
		info, err = c.stream.info()
		return err
	})
	return info, err
}

// Last does what stream.Broker's does: also, for the filter > alone, read the last sequence only.
func (c *Conn) Last(ctx context.Context, filter string) (m stream.Message, err error) {
	err = c.read(ctx, Call{Operation: "Last", Subject: filter}, func() (err error) {
		last := c.stream.last
		if filter != ">" {
			last = c.stream.lastOf(filter)
		}
		m, err = c.stream.at(last)
		return err
	})
	return m, err
}

// At does what stream.Broker's does.
func (c *Conn) At(ctx context.Context, sequence uint64) (m stream.Message, err error) {
	err = c.read(ctx, Call{Operation: "At", Sequence: sequence}, func() (err error) {
		m, err = c.stream.at(sequence)
		return err
	})
	return m, err
}

// Each does what stream.Broker's does, a request a message.
func (c *Conn) Each(ctx context.Context, filter string, from uint64, yield func(stream.Message) error) error {
	from = max(from, 1)
	for {
		var m stream.Message
		err := c.read(ctx, Call{Operation: "Each", Subject: filter, Sequence: from}, func() (err error) {
			m, err = c.stream.next(filter, from)
			return err
		})
		if errors.Is(err, stream.ErrNone) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := yield(m); err != nil {
			return err
		}
		from = m.Sequence + 1
	}
}

// Scan does what stream.Broker's does, in one request.
func (c *Conn) Scan(ctx context.Context, from uint64, yield func(stream.Message) error) (last uint64, err error) {
	from = max(from, 1)
	var all []stream.Message
	err = c.read(ctx, Call{Operation: "Scan", Sequence: from}, func() error {
		info, err := c.stream.info()
		last, all = info.Last, c.stream.messages(from)
		return err
	})
	if err != nil {
		return from - 1, err
	}
	read := from - 1
	for _, m := range all {
		if err := yield(m); err != nil {
			return read, err
		}
		read = m.Sequence
	}
	return last, nil
}

// FollowHeaders gives yield every message from a sequence on, those to come included, without its data. It ends with an
// error of yield, with ctx's, or with that of a lost connection.
func (c *Conn) FollowHeaders(ctx context.Context, from uint64, yield func(stream.Message) error) error {
	s, err := c.usable()
	if err != nil {
		return err
	}
	from = max(from, 1)
	if err := c.read(ctx, Call{Operation: "FollowHeaders", Sequence: from}, func() error { return nil }); err != nil {
		return err
	}
	ctx, done := s.trackLong(ctx)
	defer done()
	for {
		m, changed, err := c.stream.following(from)
		switch {
		case context.Cause(ctx) != nil:
			return context.Cause(ctx)
		case err == nil:
			m.Data = nil
			if err := yield(m); err != nil {
				return err
			}
			from = m.Sequence + 1
			continue
		case !errors.Is(err, stream.ErrNone):
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// following gives the next message from a sequence on, or else what is closed when there may be one.
func (s *Stream) following(from uint64) (stream.Message, <-chan struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, err := s.next(">", from)
	return m, s.changed, err
}

// read is a request that reads the stream.
func (c *Conn) read(ctx context.Context, call Call, read func() error) error {
	s, err := c.usable()
	if err != nil {
		return err
	}
	return c.request(ctx, s, call, func() error {
		c.stream.mu.Lock()
		defer c.stream.mu.Unlock()
		return read()
	})
}
