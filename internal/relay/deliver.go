package relay

import (
	"context"
	"errors"
	"time"
)

// start tries what waits of a queue, outside of the loop.
func (s *session) start(q *queue) {
	s.busy++
	troubled := q.trouble != nil
	if troubled {
		s.trying++
	}
	ended := func(apply func()) func() {
		return func() {
			s.busy--
			if troubled {
				s.trying--
			}
			apply()
		}
	}
	if q.parked != nil && !q.parked.leaving {
		w := q.parked.waits()
		s.work(q, func(ctx context.Context) func() { return ended(s.deliverParked(ctx, q, w)) })
		return
	}
	batch := q.items
	if q.group == "" {
		batch = batch[:min(len(batch), s.Together)]
	}
	s.work(q, func(ctx context.Context) func() {
		done, err := s.deliver(ctx, q.group, eventsOf(batch))
		return ended(func() {
			for _, i := range batch[:done] {
				s.finish(i)
			}
			q.items = q.items[done:]
			s.judge(q, done, err)
		})
	})
}

func eventsOf(batch []*item) []*Event {
	events := make([]*Event, len(batch))
	for n, i := range batch {
		events[n] = i.event
	}
	return events
}

// deliver delivers events, if the lease still holds.
func (s *session) deliver(ctx context.Context, group string, events []*Event) (done int, err error) {
	if !s.lease.valid() {
		return 0, errLeaseLost
	}
	timed, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	done, err = s.Destination.Deliver(timed, Batch{Group: group, Events: events})
	done = max(0, min(done, len(events)))
	switch {
	case done == len(events):
		err = nil
	case context.Cause(ctx) != nil: // nobody has refused it
		err = errStopped
	case err == nil:
		err = &Refusal{Reason: "not all was taken, and nothing said why"}
	}
	return done, err
}

// judge draws the conclusions of a delivery, after what was delivered has left the queue.
func (s *session) judge(q *queue, done int, err error) {
	now := time.Now()
	if done > 0 {
		s.took(q, now)
	}
	switch {
	case err == nil:
		s.calm(q)
	case errors.Is(err, errStopped), errors.Is(err, errLeaseLost):
	default:
		s.refuse(q, asRefusal(err), now)
		return
	}
	s.offer(q)
}

// took notes that the destination takes events. Those that it refused to all are tried again at once.
func (s *session) took(q *queue, now time.Time) {
	if s.health.took(now) {
		s.log.Debug("the destination takes events again")
		for other := range s.uneasy {
			other.trouble.next, other.trouble.step = now, firstPause
		}
	}
	s.calm(q)
}

// calm ends the trouble with a job.
func (s *session) calm(q *queue) {
	if q.trouble != nil {
		q.trouble = nil
		delete(s.refused, q.key)
		delete(s.uneasy, q)
	}
	if q.empty() && q.group == "" && q.open == nil && q.blocked == 0 && !q.busy {
		delete(s.queues, q.key)
	}
	if q.group != "" && len(q.items) == 0 {
		s.told(q)
	}
}

// refuse decides what becomes of events that were not taken.
func (s *session) refuse(q *queue, why *Refusal, now time.Time) {
	s.Meter.Failed(why.Kind.String())
	t := q.trouble
	if t != nil && t.last.Before(s.health.taken) {
		t.own = true
	}
	s.health.refused(now, q.key, why, t != nil && t.own)
	switch why.Kind {
	case Away: // it says nothing of the event
		s.offer(q)
		return
	case Gone:
		s.turnOff(why.Reason)
		s.offer(q)
		return
	case Broken:
		s.broken = why.Reason
		s.offer(q)
		return
	case Uncertain, Unfit:
	}
	if t == nil {
		t = &trouble{first: now, base: s.health.clock.at(now), step: firstPause}
		q.trouble, s.refused[q.key] = t, t
	}
	t.last, t.reason, t.status = now, why.Reason, why.Status
	t.tries++
	if why.Kind == Unfit {
		t.unfit++
	}
	t.next = now.Add(max(t.step, min(why.After, mostHonoured)))
	t.step = min(2*t.step, longestPause)
	switch {
	case q.group != "" && (t.unfit >= unfitTries || t.tries > 1 && now.Sub(t.first) > parkAfter && !s.health.surely):
		s.dissolve(q)
	case t.unfit >= unfitTries, s.GiveUpAfter > 0 && s.health.clock.at(now)-t.base >= s.GiveUpAfter:
		s.bury(q)
	case q.parked != nil && !q.parked.leaving && now.Sub(q.parked.noted) > noteAfter:
		s.advance(q, q.parked.waits(), func() { s.offer(q) })
	case s.parkable(q) && t.tries > 1 && now.Sub(t.first) > parkAfter:
		s.park(q)
	default:
		s.offer(q)
	}
}

const unfitTries = 3

// finish is done with an event that was delivered.
func (s *session) finish(i *item) {
	s.countDelivered(i.event)
	if i.redrive != nil {
		s.endRedrive(i.redrive, true)
		return
	}
	s.settle(i)
}

func (r *Relay) countDelivered(e *Event) {
	at, known := e.time()
	if !known {
		at = time.Now()
	}
	r.Meter.Delivered(time.Since(at))
}

// turnOff writes that the relay is off, as somebody would who turned it off by hand. It does so once, however many of the
// deliveries under way are answered alike: somebody may turn it on again meanwhile.
func (s *session) turnOff(reason string) {
	if s.leaving {
		return
	}
	s.leaving = true
	s.health.notUntil = time.Now().Add(longestPause)
	s.aside(func(ctx context.Context) func() {
		err := TurnOff(ctx, s.Broker, s.Stream, s.Name, reason)
		return func() {
			if err != nil {
				s.leaving = false
				s.log.Warn("the relay could not be turned off", "err", err)
				return
			}
			s.failed = errOff
		}
	})
}
