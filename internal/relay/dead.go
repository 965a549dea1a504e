package relay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"jobwatch/internal/stream"
)

// Headers of a dead letter.
const (
	ReasonHeader   = "Jobwatch-Reason"
	TriesHeader    = "Jobwatch-Tries"
	StatusHeader   = "Jobwatch-Status"
	FirstTryHeader = "Jobwatch-First-Try"
	LastTryHeader  = "Jobwatch-Last-Try"
	SubjectHeader  = "Jobwatch-Subject"  // of the event in the stream
	SequenceHeader = "Jobwatch-Sequence" // of the event in the stream
)

// bury makes the first event that waits of a queue a dead letter. It is settled only when that is stored.
func (s *session) bury(q *queue) {
	delete(s.uneasy, q)
	t := *q.trouble
	if q.parked != nil && !q.parked.leaving {
		s.buryParked(q, t)
		return
	}
	i := q.items[0]
	if i.redrive != nil { // it is one already, or still is in the stream
		what := "a dead letter that was redriven is refused once more, and stays one"
		if i.redrive.order.subject == "" {
			what = "an event that was replayed is refused"
		}
		s.log.Warn(what, "job", i.event.Job.String(), "event", i.event.ID, "err", t.reason)
		q.items = q.items[1:]
		s.endRedrive(i.redrive, false)
		s.calm(q)
		s.offer(q)
		return
	}
	s.work(q, func(ctx context.Context) func() {
		err := s.writeDead(ctx, i.event, t)
		return func() {
			if err == nil {
				s.countDead(i.event, t)
				s.settle(i)
				q.items = q.items[1:]
				s.calm(q)
			}
			s.offer(q)
		}
	})
}

func (s *session) buryParked(q *queue, t trouble) {
	id, from := q.id, q.parked.next
	s.work(q, func(ctx context.Context) func() {
		events, err := s.readBack(ctx, id, from)
		if err == nil && len(events) > 0 {
			err = s.writeDead(ctx, events[0], t)
		}
		return func() {
			if err != nil || len(events) == 0 {
				s.offer(q)
				return
			}
			s.countDead(events[0], t)
			q.trouble.tries, q.trouble.unfit = 0, 0
			q.trouble.first, q.trouble.base = time.Now(), s.health.clock.at(time.Now())
			q.trouble.next = time.Now()
			s.advance(q, behind(events, 1), func() { s.offer(q) })
		}
	})
}

func (r *Relay) deadSubject(e *Event) string {
	return r.subject(fmt.Sprintf("dead.%s.%d.%s", e.Job.CommCell, e.Job.Number, e.ID))
}

// writeDead stores a dead letter, once.
func (r *Relay) writeDead(ctx context.Context, e *Event, t trouble) error {
	_, err := r.records.Append(ctx, stream.Record{
		Subject: r.deadSubject(e), Data: e.Data,
		Header: map[string][]string{
			"Content-Type": {"application/cloudevents+json"},
			ReasonHeader:   {headerText(t.reason)}, TriesHeader: {strconv.Itoa(t.tries)}, StatusHeader: {strconv.Itoa(t.status)},
			FirstTryHeader: {t.first.UTC().Format(time.RFC3339Nano)}, LastTryHeader: {t.last.UTC().Format(time.RFC3339Nano)},
			SubjectHeader: {e.Subject}, SequenceHeader: {strconv.FormatUint(e.Sequence, 10)},
		},
	}, true)
	if errors.Is(err, stream.ErrChanged) { // before a crash, or its acknowledgement was lost
		return nil
	}
	return err
}

func (r *Relay) countDead(e *Event, t trouble) {
	r.log.Warn("an event could not be delivered and is a dead letter; see: watcher relay dead "+r.Name,
		"job", e.Job.String(), "event", e.ID, "err", t.reason)
	r.Meter.Dead()
}

// headerText makes one line of text that a header can carry.
func headerText(text string) string {
	clean := strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return ' '
		}
		return c
	}, text)
	if runes := []rune(clean); len(runes) > 200 {
		clean = string(runes[:199]) + "…"
	}
	return strings.TrimSpace(clean)
}

// redrive is a dead letter that is delivered once more, or an event of the stream that is.
type redrive struct {
	order order
	ended bool // the order is being taken back
}

// redriveThose queues what was ordered, each once, behind what waits of its job.
func (s *session) redriveThose(ordered map[string]order) {
	for key := range s.redriven {
		if _, still := ordered[key]; !still && s.redriven[key].ended {
			delete(s.redriven, key)
		}
	}
	var replays, letters []*redrive
	for key, o := range ordered {
		d := s.redriven[key]
		if d != nil && d.ended && d.order.revision != o.revision {
			d = nil // ordered again, before a beat has shown that the first order was gone
		}
		if d != nil || o.subject == "" && s.replaying || o.subject != "" && s.redriving {
			continue
		}
		d = &redrive{order: o}
		s.redriven[key] = d
		if o.subject == "" {
			replays = append(replays, d)
			continue
		}
		letters = append(letters, d)
	}
	s.inOrder(letters, &s.redriving)
	s.inOrder(replays, &s.replaying)
}

// inOrder reads what was ordered, and queues it in the order of the stream, not in that of the orders. What is ordered
// meanwhile comes behind it.
func (s *session) inOrder(all []*redrive, reading *bool) {
	if len(all) == 0 {
		return
	}
	*reading = true
	type found struct {
		*redrive
		event *Event
		err   error
	}
	s.aside(func(ctx context.Context) func() {
		read := make([]*found, len(all))
		for i, d := range all {
			read[i] = &found{redrive: d}
			read[i].event, read[i].err = s.readOrdered(ctx, d.order)
		}
		slices.SortFunc(read, func(a, b *found) int { return cmp.Compare(place(a.event), place(b.event)) })
		return func() {
			*reading = false
			for _, f := range read {
				s.redriveOne(f.redrive, f.event, f.err)
			}
		}
	})
}

func place(e *Event) uint64 {
	if e == nil {
		return 0
	}
	return e.Sequence
}

func (s *session) readOrdered(ctx context.Context, o order) (*Event, error) {
	if o.subject == "" {
		return s.readReplayed(ctx, o.sequence)
	}
	l, err := readLetter(ctx, s.records, o.subject)
	if l == nil {
		return nil, err
	}
	return &Event{Sequence: l.Sequence, Subject: l.Subject, ID: l.ID, Job: l.Job, Data: l.Data, Redriven: true}, err
}

// readReplayed gives nil where the stream has forgotten the event, or the relay does not take it.
func (s *session) readReplayed(ctx context.Context, sequence uint64) (*Event, error) {
	m, err := s.Broker.At(ctx, sequence)
	if errors.Is(err, stream.ErrNone) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	e := s.eventOf(m)
	e.Replayed = true
	if e.ID == "" || !s.takes(e) {
		return nil, nil
	}
	return e, nil
}

func (s *session) redriveOne(d *redrive, e *Event, err error) {
	switch {
	case err != nil:
		delete(s.redriven, d.order.key) // with the next beat
	case e == nil: // dropped
		s.endRedrive(d, false)
	default:
		q := s.queue(s.key(e))
		i := &item{event: e, redrive: d, arrived: time.Now()}
		if q.open != nil {
			q.behind = append(q.behind, i)
			return
		}
		s.append(q, i)
	}
}

// endRedrive takes an order back, and the letter from the log if it was delivered.
func (s *session) endRedrive(d *redrive, delivered bool) {
	s.aside(func(ctx context.Context) func() {
		var err error
		if delivered && d.order.subject != "" {
			err = s.records.Remove(ctx, d.order.subject)
		}
		if err == nil {
			err = s.bucket.Delete(ctx, d.order.key, d.order.revision)
		}
		return func() {
			d.ended = true
			if err != nil && !errors.Is(err, stream.ErrChanged) {
				delete(s.redriven, d.order.key) // it is delivered once more
			}
		}
	})
}
