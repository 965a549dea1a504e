package brokertest

import (
	"context"
	"errors"
	"time"

	"jobwatch/internal/stream"
)

// publication is a message, and who publishes it.
type publication struct {
	id, job, expects, rest string
	other                  bool
}

func publish(id string) publication {
	return publication{id: id, job: job1, rest: "client.state.running"}
}

func (p publication) of(job string) publication   { p.job = job; return p }
func (p publication) as(rest string) publication  { p.rest = rest; return p }
func (p publication) after(id string) publication { p.expects = id; return p }
func (p publication) byOther() publication        { p.other = true; return p }

func (p publication) message(s *stage) stream.Outgoing {
	return stream.Outgoing{
		Subject: p.job + "." + p.rest, Filter: filter(p.job), ID: p.id,
		ExpectLast: s.sequences[p.expects], Data: []byte(`{"id":"` + p.id + `"}`),
	}
}

func (p publication) through(s *stage) Broker {
	if p.other {
		return s.other
	}
	return s.one
}

// isStored: the message is the last of its job, and one more is in the stream.
func (p publication) isStored() step {
	return func(s *stage) {
		s.Helper()
		before := s.info()
		sequence, err := p.publish(s)
		if err != nil {
			s.Fatalf("%v: got %v, want it stored", p, err)
		}
		if sequence != before.Last+1 {
			s.Fatalf("%v: stored as %d, want %d", p, sequence, before.Last+1)
		}
		s.sequences[p.id] = sequence
		p.isHeld(s)
		s.grewBy(1, before, p)
	}
}

// isKnown: the broker names the sequence of the message that it holds under this id.
func (p publication) isKnown() step {
	return func(s *stage) {
		s.Helper()
		before := s.info()
		sequence, err := p.publish(s)
		if err != nil || sequence != s.sequences[p.id] {
			s.Fatalf("%v: got sequence %d, %v; want that of the first time, %d", p, sequence, err, s.sequences[p.id])
		}
		s.grewBy(0, before, p)
	}
}

// isRefused: the job's last message is another than expected.
func (p publication) isRefused(last string) step {
	return func(s *stage) {
		s.Helper()
		before := s.info()
		_, err := p.publish(s)
		var refused *stream.SequenceError
		if !errors.As(err, &refused) || !errors.Is(err, stream.ErrSequence) || refused.Last != s.sequences[last] {
			s.Fatalf("%v: got %v, want a refusal that names %d (%s)", p, err, s.sequences[last], last)
		}
		s.grewBy(0, before, p)
	}
}

// isBusy: the id is known, but not of a message that is there.
func (p publication) isBusy() step {
	return func(s *stage) {
		s.Helper()
		before := s.info()
		if _, err := p.through(s).Publish(s.soon(), p.message(s)); !errors.Is(err, stream.ErrBusy) {
			s.Fatalf("%v: got %v, want %v", p, err, stream.ErrBusy)
		}
		s.grewBy(0, before, p)
	}
}

func (p publication) findsNoStream() step {
	return func(s *stage) {
		s.Helper()
		_, err := p.publish(s)
		if errors.Is(err, context.DeadlineExceeded) { // it came to a replica that was just being removed
			_, err = p.publish(s)
		}
		if !errors.Is(err, stream.ErrNoStream) {
			s.Fatalf("%v: got %v, want %v", p, err, stream.ErrNoStream)
		}
	}
}

// leads: the stream would store the message under its own subject.
func (p publication) leads() step {
	return func(s *stage) {
		s.Helper()
		if err := s.trace(p); err != nil {
			s.Fatalf("%v: leads nowhere: %v", p, err)
		}
	}
}

func (p publication) leadsNowhere() step {
	return func(s *stage) {
		s.Helper()
		if err := s.trace(p); !errors.Is(err, stream.ErrNoStream) {
			s.Fatalf("%v: got %v, want %v", p, err, stream.ErrNoStream)
		}
	}
}

// trace asks both ways. A replica may have to learn first that the stream is there, or is not any more.
func (s *stage) trace(p publication) (err error) {
	ctx := s.soon()
	for {
		subject := p.message(s).Subject
		err = errors.Join(s.one.Trace(ctx, subject), s.one.CheckRoute(ctx, subject))
		if s.world.Replicas() == 1 || err == nil || errors.Is(err, stream.ErrNoStream) || ctx.Err() != nil {
			return err
		}
		<-time.After(pause)
	}
}

// isUnacknowledged: the message is stored, the publisher knows nothing.
func (p publication) isUnacknowledged() step {
	return func(s *stage) {
		s.Helper()
		before := s.info()
		p.unknown(s, s.world.PublishUnacknowledged(s.T, p.through(s), p.message(s)))
		s.ready()
		s.sequences[p.id] = before.Last + 1
		p.isHeld(s)
		s.grewBy(1, before, p)
	}
}

// isUnsent: the message is lost, the publisher knows nothing.
func (p publication) isUnsent() step {
	return func(s *stage) {
		s.Helper()
		before := s.info()
		p.unknown(s, s.world.Unsent(s.T, p.through(s), p.message(s)))
		s.ready()
		s.grewBy(0, before, p)
	}
}

// unknown fails unless the error leaves open whether the message was stored.
func (p publication) unknown(s *stage, err error) {
	s.Helper()
	var refused *stream.RefusedError
	switch {
	case err == nil, errors.Is(err, stream.ErrSequence), errors.Is(err, stream.ErrBusy),
		errors.Is(err, stream.ErrNoStream), errors.As(err, &refused):
		s.Fatalf("%v: got %v, want an error that leaves open what became of it", p, err)
	}
}

// publish tries again what several servers may answer until they have found together.
func (p publication) publish(s *stage) (uint64, error) {
	ctx := s.soon()
	for {
		sequence, err := p.through(s).Publish(ctx, p.message(s))
		if !s.passing(err) || ctx.Err() != nil {
			return sequence, err
		}
		<-time.After(pause)
	}
}

func (p publication) isHeld(s *stage) {
	s.Helper()
	m, err := s.one.Last(s.soon(), filter(p.job))
	want := p.message(s)
	if err != nil || m.Sequence != s.sequences[p.id] || m.ID != want.ID || m.Subject != want.Subject || string(m.Data) != string(want.Data) {
		s.Fatalf("%v: the job's last message is %+v, %v; want this one as %d", p, m, err, s.sequences[p.id])
	}
}

func (s *stage) grewBy(n uint64, before stream.Info, what any) {
	s.Helper()
	if after := s.info(); after.Messages != before.Messages+n {
		s.Fatalf("%v: the stream has %d messages, want %d", what, after.Messages, before.Messages+n)
	}
}
