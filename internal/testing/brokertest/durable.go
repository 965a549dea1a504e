package brokertest

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"time"

	"jobwatch/internal/stream"
)

const (
	durableName = "relay-ops"
	soonDue     = 2 * time.Second // an AckWait that passes
	neverDue    = time.Hour       // one that does not
)

// reader is a claimed consumer, and what it has delivered.
type reader struct {
	stream.Consumer
	claim claim
	held  map[string]stream.Delivery // the latest of each message
}

// claim is a claim of the one durable consumer of a rule.
type claim struct {
	other  bool
	adjust func(*stage, *stream.Durable)
	window int
}

func claims() claim { return claim{window: 100} }

func (c claim) byOther() claim                             { c.other = true; return c }
func (c claim) withWindow(n int) claim                     { c.window = n; return c }
func (c claim) with(f func(*stage, *stream.Durable)) claim { c.adjust = f; return c }

func (c claim) through(s *stage) Broker {
	if c.other {
		return s.other
	}
	return s.one
}

func (c claim) durable(s *stage) stream.Durable {
	d := stream.Durable{Name: durableName, Subjects: []string{"jobs.>"}, AckWait: neverDue, Window: c.window}
	if c.adjust != nil {
		c.adjust(s, &d)
	}
	return d
}

func wait(d time.Duration) func(*stage, *stream.Durable) {
	return func(_ *stage, c *stream.Durable) { c.AckWait = d }
}

// makes: there was none.
func (c claim) makes() step { return c.gives(func(i stream.DurableInfo) bool { return i.Made }) }

// goesOn: there is one, with so many messages unsettled.
func (c claim) goesOn(unsettled int) step {
	return c.gives(func(i stream.DurableInfo) bool { return !i.Made && i.Unsettled == unsettled })
}

// isPaused: there is one, paused by somebody.
func (c claim) isPaused() step {
	return c.gives(func(i stream.DurableInfo) bool {
		return !i.Made && time.Until(i.PausedUntil) > time.Minute && i.Window == c.window
	})
}

func (c claim) gives(what func(stream.DurableInfo) bool) step {
	return func(s *stage) {
		s.Helper()
		if before := s.readers[c.through(s)]; before != nil {
			before.Close() // else it would take what comes
		}
		consumer, info, err := c.claim(s)
		if err != nil || !what(info) {
			s.Fatalf("claim: got %+v, %v", info, err)
		}
		s.Cleanup(consumer.Close)
		s.readers[c.through(s)] = &reader{consumer, c, map[string]stream.Delivery{}}
	}
}

// claim asks several servers again that have not found together yet: one without a leader does not answer.
func (c claim) claim(s *stage) (consumer stream.Consumer, info stream.DurableInfo, err error) {
	for ctx := s.soon(); ; {
		brief, cancel := context.WithTimeout(ctx, patience/10)
		consumer, info, err = c.through(s).Claim(brief, c.durable(s))
		cancel()
		if s.world.Replicas() == 1 || !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
			return consumer, info, err
		}
	}
}

func (c claim) findsNoStream() step {
	return func(s *stage) {
		s.Helper()
		if _, _, err := c.through(s).Claim(s.soon(), c.durable(s)); !errors.Is(err, stream.ErrNoStream) {
			s.Fatalf("claim: got %v, want %v", err, stream.ErrNoStream)
		}
	}
}

// deliveries are what comes through a claimed consumer.
type deliveries struct {
	other bool
	ids   []string
	times uint64
}

func takes(ids ...string) deliveries      { return deliveries{ids: ids, times: 1} }
func takesAgain(ids ...string) deliveries { return deliveries{ids: ids, times: 2} }
func (d deliveries) byOther() deliveries  { d.other = true; return d }

func (s *stage) reader(other bool) *reader {
	if other {
		return s.readers[s.other]
	}
	return s.readers[s.one]
}

// inOrder: they come as named. What is unsettled for too long may come once more between them.
func (d deliveries) inOrder() step {
	return func(s *stage) {
		s.Helper()
		if got := d.take(s); !slices.Equal(got, d.ids) {
			s.Fatalf("delivered: got %q, want %q", got, d.ids)
		}
	}
}

// anyOrder: they come.
func (d deliveries) anyOrder() step {
	return func(s *stage) {
		s.Helper()
		if got := d.take(s); !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(d.ids))) {
			s.Fatalf("delivered: got %q, want %q", got, d.ids)
		}
	}
}

func (d deliveries) take(s *stage) (got []string) {
	s.Helper()
	r, ctx := s.reader(d.other), s.soon()
	for len(got) < len(d.ids) {
		all, err := r.Next(ctx, len(d.ids)-len(got))
		if err != nil && r.tooEarly(s, err) {
			continue
		}
		if err != nil {
			s.Fatalf("delivered: got %q, want %q: %v", got, d.ids, err)
		}
		for _, m := range all {
			if m.Times < d.times || m.Sequence != s.sequences[m.ID] || m.Number == 0 || m.Header["Nats-Msg-Id"][0] != m.ID || m.Stored.IsZero() {
				s.Fatalf("delivered: %+v, want it for the time %d", m, d.times)
			}
			r.held[m.ID] = m
			if m.Times == d.times || !slices.Contains(got, m.ID) {
				got = append(got, m.ID)
			}
		}
	}
	return got
}

// tooEarly claims once more where one of several servers has not heard of a new consumer yet.
func (r *reader) tooEarly(s *stage, err error) bool {
	if len(r.held) > 0 || !s.unheardOf(err) {
		return false
	}
	r.Close()
	again, _, err := r.claim.claim(s)
	if err != nil {
		return false
	}
	s.Cleanup(again.Close)
	r.Consumer = again
	return true
}

// numbered: the latest deliveries of these have these numbers.
func numbered(first uint64, ids ...string) step {
	return func(s *stage) {
		s.Helper()
		for i, id := range ids {
			if n := s.reader(false).held[id].Number; n != first+uint64(i) {
				s.Fatalf("the delivery of %q is number %d, want %d", id, n, first+uint64(i))
			}
		}
	}
}

// behind: when these were delivered for the first time, so many messages had not been yet.
func behind(count uint64, ids ...string) step {
	return func(s *stage) {
		s.Helper()
		for i, id := range ids {
			if n := s.reader(false).held[id].Behind; n != count-uint64(i) {
				s.Fatalf("behind %q lie %d, want %d", id, n, count-uint64(i))
			}
		}
	}
}

// nothingComes, for a while.
func nothingComes() step {
	return func(s *stage) {
		s.Helper()
		ctx, cancel := context.WithTimeout(s.Context(), 300*time.Millisecond)
		defer cancel()
		if all, err := s.reader(false).Next(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
			s.Fatalf("got %+v, %v; want nothing", all, err)
		}
	}
}

func settles(ids ...string) step { return says(stream.Consumer.Settle, ids) }
func returns(ids ...string) step { return says(stream.Consumer.Return, ids) }

func says(what func(stream.Consumer, stream.Delivery), ids []string) step {
	return func(s *stage) {
		for _, id := range ids {
			what(s.reader(false), s.reader(false).held[id])
		}
	}
}

// settlesInVain settles on a connection that is lost first.
func settlesInVain(id string) step {
	return func(s *stage) {
		s.Helper()
		r := s.reader(false)
		s.world.Unsettled(s.T, s.one, func() { r.Settle(r.held[id]) })
		s.readingEnds(stream.ErrDisconnected)
		s.ready()
	}
}

// extends the one until the other comes once more.
func extends(id, other string) step {
	return func(s *stage) {
		s.Helper()
		r, ctx, before := s.reader(false), s.soon(), time.Now()
		for {
			if time.Since(before) > soonDue/2 { // the machine is too busy for this
				return
			}
			before = time.Now()
			r.Extend(r.held[id])
			briefly, cancel := context.WithTimeout(ctx, soonDue/10)
			all, err := r.Next(briefly, 1)
			cancel()
			switch {
			case ctx.Err() != nil || err != nil && !errors.Is(err, context.DeadlineExceeded):
				s.Fatalf("while %q is extended: %v", id, err)
			case err == nil && all[0].ID == other:
				return
			case err == nil:
				s.Fatalf("delivered: %q, which is extended", all[0].ID)
			}
		}
	}
}

func closes() step { return func(s *stage) { s.reader(false).Close() } }

// durableHas waits for what was sent to arrive. Whoever does not read through the consumer sees the same.
func durableHas(unsettled int, floor string) step {
	return func(s *stage) {
		s.Helper()
		ctx := s.soon()
		for {
			info, err := s.reader(false).Info(ctx)
			seen, asked := s.other.Standing(ctx, durableName)
			if err == nil && asked == nil && info.Unsettled == unsettled && info.Floor == s.sequences[floor] && reflect.DeepEqual(seen, info) {
				return
			}
			if ctx.Err() != nil {
				s.Fatalf("consumer: got %+v, %v; want %d unsettled, the floor at %d", info, err, unsettled, s.sequences[floor])
			}
			<-time.After(pause)
		}
	}
}

// deletesConsumer while somebody waits for its next message.
func deletesConsumer() step {
	return whileWaiting(func(s *stage) { s.world.DeleteConsumer(s.T, durableName) }, stream.ErrConsumerGone)
}

func dropsStream() step {
	return whileWaiting(func(s *stage) { s.world.Drop(s.T) }, stream.ErrConsumerGone)
}

func restarts() step {
	return whileWaiting(func(s *stage) { keep()(s) }, stream.ErrDisconnected)
}

func whileWaiting(do step, want error) step {
	return func(s *stage) {
		s.Helper()
		r, ended := s.reader(false), make(chan error, 1)
		ctx := s.soon()
		go func() {
			_, err := r.Next(ctx, 1)
			ended <- err
		}()
		do(s)
		err := <-ended
		late := errors.Is(want, stream.ErrConsumerGone) && s.unheardOf(err) // the claim that follows finds out
		if !errors.Is(err, want) && !late {
			s.Fatalf("next: got %v, want %v", err, want)
		}
	}
}

// unheardOf says that one of several servers had not heard of a new consumer yet: it says that nobody answers for it.
func (s *stage) unheardOf(err error) bool {
	return err != nil && s.world.Replicas() > 1 && !errors.Is(err, stream.ErrConsumerGone) && !errors.Is(err, stream.ErrDisconnected) &&
		!errors.Is(err, context.DeadlineExceeded)
}

func (s *stage) readingEnds(want error) {
	s.Helper()
	for {
		_, err := s.reader(false).Next(s.soon(), 1)
		if err == nil {
			continue // it had arrived before
		}
		if !errors.Is(err, want) {
			s.Fatalf("next: got %v, want %v", err, want)
		}
		return
	}
}

func pauses() step {
	return func(s *stage) { s.world.PauseConsumer(s.T, durableName, time.Now().Add(time.Hour)) }
}

func resumes() step {
	return func(s *stage) { s.world.PauseConsumer(s.T, durableName, time.Now().Add(-time.Second)) }
}
