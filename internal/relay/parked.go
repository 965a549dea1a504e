package relay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
	"jobwatch/internal/stream"
)

// parkAfter is how long the events of a job may be refused while others are taken, before they are set aside.
const parkAfter = 30 * time.Second

// noteAfter is how often it is noted how long a job was refused: what was counted since is lost at a crash.
const noteAfter = time.Minute

// parked is a job set aside: what waits of it is settled at the broker, so that it holds up no other, and is read
// back from the stream when it is tried again. The key in the bucket is written before anything is settled.
type parked struct {
	next     uint64 // the sequence in the stream from which on its events wait
	number   uint64 // that of the job's event which is the first to come; 0: unknown
	certain  bool   // it has come already
	revision uint64 // of its key
	arrived  uint64 // the highest sequence that was settled unread

	lastNumber uint64 // that of the job's event there; 0: unknown

	oldest  time.Time
	noted   time.Time // when its key was written
	leaving bool      // its key is being deleted: what arrives meanwhile is held
}

// parkedRecord is what the bucket holds.
type parkedRecord struct {
	Next   uint64        `json:"next"`
	Number uint64        `json:"number,omitempty"`
	Came   bool          `json:"came,omitempty"` // that one has come already
	Oldest time.Time     `json:"oldest"`
	First  time.Time     `json:"first"`
	Last   time.Time     `json:"last"`
	Tries  int           `json:"tries"`
	Waited time.Duration `json:"waited"` // towards give_up_after
	Own    bool          `json:"own,omitempty"`
	Status int           `json:"status"`
	Reason string        `json:"reason"`
}

func (r *Relay) parkedKey(key string) string {
	return r.Name + ".parked." + strings.Replace(key, "/", ".", 1)
}

func (s *session) parkable(q *queue) bool {
	// Events of a CommCell are few, and read under other subjects.
	return !s.Whole && q.group == "" && !q.id.IsCommCell() && q.blocked == 0 && q.parked == nil && !s.health.surely &&
		len(q.items) > 0 && q.items[0].redrive == nil
}

// relieve parks the job in trouble that holds most, where the window is filled by such.
func (s *session) relieve() {
	if len(s.held) < s.window/2 {
		return
	}
	var most *queue
	waiting := 0
	for q := range s.uneasy {
		waiting += len(q.items)
		if s.parkable(q) && !q.busy && (most == nil || len(q.items) > len(most.items)) {
			most = q
		}
	}
	if most == nil || waiting < s.window/2 {
		return
	}
	others := len(s.ready) > 0 || s.busy > 0 // their deliveries will show whether it is the job, or the destination
	if !others || most.trouble.tries > 1 || most.trouble.last.Before(s.health.taken) {
		s.park(most)
	}
}

func (s *session) parkedRecord(q *queue, p *parked) parkedRecord {
	now := time.Now()
	rec := parkedRecord{Next: p.next, Number: p.number, Came: p.certain, Oldest: p.oldest}
	if t := q.trouble; t != nil {
		rec.First, rec.Last, rec.Tries, rec.Status, rec.Reason = t.first, t.last, t.tries, t.status, t.reason
		rec.Own = t.own
		rec.Waited = s.health.clock.at(now) - t.base
	}
	return rec
}

// writeParked is called outside of the loop.
func (s *session) writeParked(ctx context.Context, key string, rec parkedRecord, revision uint64) (uint64, error) {
	if !s.lease.valid() {
		return 0, errLeaseLost
	}
	value, err := json.Marshal(rec)
	if err != nil {
		return 0, err
	}
	name := s.parkedKey(key)
	written, err := s.bucket.Put(ctx, stream.Entry{Key: name, Value: value, Revision: revision})
	if errors.Is(err, stream.ErrChanged) { // by ourselves, or by who held the lease before; the lease is ours
		e, err := s.bucket.Get(ctx, name)
		if err != nil {
			return 0, err
		}
		return s.bucket.Put(ctx, stream.Entry{Key: name, Value: value, Revision: e.Revision})
	}
	return written, err
}

// park sets a job aside.
func (s *session) park(q *queue) {
	delete(s.uneasy, q)
	first := q.items[0]
	p := &parked{next: first.event.Sequence, number: numberOf(first.event), certain: true, oldest: first.delivery.Stored, noted: time.Now()}
	rec := s.parkedRecord(q, p)
	s.work(q, func(ctx context.Context) func() {
		revision, err := s.writeParked(ctx, q.key, rec, 0)
		return func() {
			if err == nil {
				p.revision = revision
				q.parked, s.parked[q.key] = p, p
				s.settleParked(q)
				s.log.Warn("the events of a job are refused and set aside; those of others go on", "job", q.key, "err", rec.Reason)
			}
			s.offer(q)
		}
	})
}

// settleParked settles what is held of a parked job; what was a dead letter waits.
func (s *session) settleParked(q *queue) {
	var rest []*item
	for _, i := range q.items {
		if i.redrive != nil {
			rest = append(rest, i)
			continue
		}
		s.settleUnread(q, i)
	}
	q.items, q.behind = append(rest, q.behind...), nil
	if g := q.open; g != nil { // it waits for a window no more
		q.open = nil
		delete(g.jobs, q.key)
		g.items = slices.DeleteFunc(g.items, func(i *item) bool {
			if s.key(i.event) != q.key {
				return false
			}
			s.settleUnread(q, i)
			return true
		})
	}
}

// settleUnread settles an event of a parked job: it is read back when it is its turn.
func (s *session) settleUnread(q *queue, i *item) {
	if i.event.Sequence > q.parked.arrived {
		q.parked.arrived, q.parked.lastNumber = i.event.Sequence, numberOf(i.event)
	}
	s.settle(i)
}

var errEnough = errors.New("enough")

// readBack reads what waits of a parked job, the oldest first.
func (r *Relay) readBack(ctx context.Context, id job.ID, from uint64) (events []*Event, err error) {
	err = r.Broker.Each(ctx, event.Filter(r.Prefix, id), from, func(m stream.Message) error {
		e := r.eventOf(m)
		if e.ID != "" && r.takes(e) {
			events = append(events, e)
		}
		if len(events) >= r.Together {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return events, err
}

// deliverParked tries what waits of a parked job, outside of the loop.
func (s *session) deliverParked(ctx context.Context, q *queue, w wait) (apply func()) {
	events, err := s.readBack(ctx, q.id, w.from)
	var aged uint64
	if err == nil {
		aged, w, err = s.agedOut(ctx, w, events)
	}
	if err != nil {
		return func() { s.later(q, err) }
	}
	if aged > 0 {
		return func() {
			s.missed(aged)
			s.advance(q, w, func() { s.offer(q) })
		}
	}
	if len(events) == 0 {
		return func() { s.leave(q) }
	}
	done, err := s.deliver(ctx, "", events)
	return func() {
		for _, e := range events[:done] {
			s.countDelivered(e)
		}
		if done == 0 {
			s.judge(q, 0, err)
			return
		}
		s.calm(q) // the next one has not been refused
		s.advance(q, behind(events, done), func() { s.judge(q, done, err) })
	}
}

// advance notes how far a parked job has got.
func (s *session) advance(q *queue, w wait, then func()) {
	p := q.parked
	p.next, p.number, p.certain, p.noted = w.from, w.number, w.certain, time.Now()
	rec, revision := s.parkedRecord(q, p), p.revision
	s.work(q, func(ctx context.Context) func() {
		written, err := s.writeParked(ctx, q.key, rec, revision)
		return func() {
			if err == nil {
				p.revision = written
			} // else it is written with the next step; a crash before that repeats this one
			then()
		}
	})
}

func (s *session) later(q *queue, err error) {
	s.log.Debug("a parked job cannot be read", "job", q.key, "err", err)
	if q.trouble == nil {
		q.trouble = &trouble{first: time.Now(), base: s.health.clock.at(time.Now()), step: firstPause}
	}
	q.trouble.next = time.Now().Add(q.trouble.step)
	s.offer(q)
}

// leave ends the parking of a job of which nothing more waits.
func (s *session) leave(q *queue) {
	p := q.parked
	if p.arrived >= p.next { // settled since the stream was read
		s.passOver(q)
		return
	}
	p.leaving = true
	s.work(q, func(ctx context.Context) func() {
		err := s.bucket.Delete(ctx, s.parkedKey(q.key), p.revision)
		return func() {
			if err != nil { // it may have happened: what has arrived meanwhile must not be settled
				s.failed = fmt.Errorf("whether %s is still set aside cannot be told: %w", q.key, err)
				return
			}
			p.leaving = false
			q.parked = nil
			delete(s.parked, q.key)
			s.doneTo[q.key] = p.next - 1
			s.calm(q)
			s.offer(q)
		}
	})
}

// passOver goes on behind what arrived of a parked job and is not, or no longer, in the stream.
func (s *session) passOver(q *queue) {
	id, from := q.id, q.parked.next
	s.work(q, func(ctx context.Context) func() {
		events, err := s.readBack(ctx, id, from)
		return func() {
			if err == nil && len(events) == 0 { // read after it had arrived: the stream has forgotten it
				q.parked.next = q.parked.arrived + 1
			}
			s.offer(q)
		}
	})
}

// loadParked reads which jobs are set aside.
func (r *Relay) loadParked(ctx context.Context) error {
	entries, err := r.bucket.Entries(ctx, r.Name+".parked.>")
	if err != nil {
		return err
	}
	before := maps.Clone(r.parked)
	clear(r.parked)
	for _, e := range entries {
		var rec parkedRecord
		if err := json.Unmarshal(e.Value, &rec); err != nil {
			return r.unreadable(e.Key, err)
		}
		key := strings.Replace(strings.TrimPrefix(e.Key, r.Name+".parked."), ".", "/", 1)
		r.parked[key] = &parked{next: rec.Next, number: rec.Number, certain: rec.Came, revision: e.Revision, oldest: rec.Oldest}
		if was := before[key]; was != nil {
			r.parked[key].arrived, r.parked[key].lastNumber = was.arrived, was.lastNumber
		}
		if r.refused[key] == nil && rec.Tries > 0 {
			r.refused[key] = &trouble{
				first: rec.First, last: rec.Last, tries: rec.Tries, step: firstPause, status: rec.Status, reason: rec.Reason, own: rec.Own,
				base: r.health.clock.at(time.Now()) - rec.Waited,
			}
		}
	}
	return nil
}

// turnBackParked has a job that is set aside wait from an earlier sequence on.
func (r *Relay) turnBackParked(ctx context.Context, key string, p *parked, next uint64) error {
	e, err := r.bucket.Get(ctx, r.parkedKey(key))
	if err != nil || e.Value == nil {
		return err
	}
	var rec parkedRecord
	if err := json.Unmarshal(e.Value, &rec); err != nil {
		return r.unreadable(e.Key, err)
	}
	rec.Next = next
	if e.Value, err = json.Marshal(rec); err != nil {
		return err
	}
	if p.revision, err = r.bucket.Put(ctx, e); err != nil {
		return err
	}
	p.next = next
	return nil
}
