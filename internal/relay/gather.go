package relay

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
	"jobwatch/internal/stream"
)

// gather waits until all that was delivered and never settled is here: what it was delivered to may be gone, and the
// broker would give new events of a job before the old ones. Nothing is delivered meanwhile.
func (s *session) gather(info stream.DurableInfo) error {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for len(s.held) < info.Unsettled {
		select {
		case a := <-s.arrivals:
			if a.err != nil {
				return a.err
			}
			if err := s.take(a.all); err != nil {
				return err
			}
			if len(s.held) < info.Unsettled {
				continue
			}
		case <-tick.C:
			s.extendAll()
		case <-s.ctx.Done():
			return context.Cause(s.ctx)
		}
		var err error
		if info, err = s.consumer.Info(s.ctx); err != nil { // a purge makes them fewer, new deliveries more
			return err
		}
		s.notePause(info)
		s.mu.Lock()
		s.status.Reason, s.record.Reason = s.paused, s.paused
		s.mu.Unlock()
	}
	return nil
}

// open begins with what was gathered, in the order of the stream.
func (s *session) open() {
	s.opened = true
	s.health.begin(time.Now())
	for _, sequence := range slices.Sorted(maps.Keys(s.held)) {
		s.enqueue(s.held[sequence])
	}
	for key := range s.parked {
		s.offer(s.queue(key))
	}
}

// take notes deliveries. Those that were done with before are settled once more.
func (s *session) take(all []stream.Delivery) error {
	for _, d := range all {
		if d.Number != s.next {
			return fmt.Errorf("%w: %d instead of %d", errGap, d.Number, s.next)
		}
		s.next++
		s.behind = d.Behind
		if d.Sequence > s.furthest.Sequence {
			s.furthest = position{d.Sequence, d.ID}
		}
		if was, again := s.held[d.Sequence]; again {
			was.delivery = d
			continue
		}
		if s.settled[d.Sequence] {
			s.consumer.Settle(d)
			continue
		}
		if d.Times > 1 && s.opened && d.Sequence < s.seen {
			return fmt.Errorf("%w: message %d comes late", errGap, d.Sequence)
		}
		s.seen = max(s.seen, d.Sequence)
		e := s.eventOf(d.Message)
		e.Replayed = len(d.Header[ReplayedHeader]) > 0
		if e.ID == "" || !s.takes(e) {
			s.settle(&item{event: e, delivery: d})
			continue
		}
		i := &item{event: e, delivery: d, arrived: time.Now()}
		s.held[d.Sequence] = i
		if s.opened {
			s.enqueue(i)
		}
	}
	return nil
}

// ReplayedHeader marks an event that was sent again on request.
const ReplayedHeader = "Jobwatch-Replayed"

// eventOf reads what is no event of ours as one without an id.
func (r *Relay) eventOf(m stream.Message) *Event {
	e := &Event{Sequence: m.Sequence, Subject: m.Subject, ID: m.ID, Job: jobOf(r.Prefix, m.Subject), Data: m.Data}
	if e.ID == "" || !event.IsOurs(r.Prefix, m.Subject) {
		parsed, err := e.Parsed()
		if err != nil {
			e.ID = ""
			return e
		}
		e.ID = parsed.ID
	}
	return e
}

func (s *session) key(e *Event) string {
	if s.Whole {
		return ""
	}
	return e.Job.String()
}

// idOf reads the key of a job's queue back.
func idOf(key string) job.ID {
	id, err := job.ParseID(key)
	if err != nil { // that of a CommCell itself
		return job.ID{CommCell: key}
	}
	return id
}

func (s *session) queue(key string) *queue {
	q := s.queues[key]
	if q == nil {
		q = &queue{key: key, id: idOf(key), trouble: s.refused[key], parked: s.parked[key]}
		s.queues[key] = q
	}
	return q
}

// enqueue puts an item behind what waits of its job, or of its group.
func (s *session) enqueue(i *item) {
	key := s.key(i.event)
	if i.delivery.Token != "" && i.event.Sequence <= s.doneTo[key] {
		s.settle(i)
		return
	}
	q := s.queue(key)
	if q.parked != nil && !q.parked.leaving {
		s.settleUnread(q, i)
		return
	}
	if s.Group != nil && s.intoWindow(q, i) {
		return
	}
	s.append(q, i)
}

func (s *session) append(q *queue, i *item) {
	q.items = append(q.items, i)
	if len(q.items) == 1 {
		s.offer(q)
	}
}

// offer has a queue tried when its turn comes.
func (s *session) offer(q *queue) {
	switch {
	case q.busy || q.blocked > 0 || q.empty():
	case q.trouble != nil:
		s.uneasy[q] = true
	case !q.offered:
		q.offered = true
		s.ready = append(s.ready, q)
	}
}

// settle is done with a delivery, at the broker too.
func (s *session) settle(i *item) {
	delete(s.held, i.event.Sequence)
	s.settled[i.event.Sequence] = true
	s.consumer.Settle(i.delivery)
}

func (s *session) extendAll() {
	for _, i := range s.held {
		s.consumer.Extend(i.delivery)
	}
}
