package console

import (
	"time"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
)

// Course is what the stream has told of a job, over time. It draws what is known, and nothing else: a change lies
// somewhere between two polls, and where nobody answered nothing is known.
type Course struct {
	start, end time.Time
	ended      job.Class // of the state it ended in; "": it has not
	attempts   []point
	failures   []point
	silent     []span
	state      lane
	phase      lane
	stalled    lane
}

// lane is what is true one after the other.
type lane struct {
	spans   []span // each begins where it was first seen
	changes []span // between two polls, in each of which the next one began
}

type span struct {
	from, to time.Time // to is zero: until the end
	text     string
	class    job.Class
}

type point struct {
	at   time.Time
	text string
}

// NewCourse begins with nothing.
func NewCourse() *Course { return &Course{} }

// Tell takes the next event of the job.
func (c *Course) Tell(d event.JobData) {
	at, before := d.Change.ObservedAt, d.Change.ObservedAt
	if d.Change.NotBefore != nil && d.Change.NotBefore.Before(at) {
		before = *d.Change.NotBefore
	}
	if c.start.IsZero() {
		c.start = before
		if s := d.Job.StartTime; s != nil && s.Before(c.start) {
			c.start, before = *s, *s
		}
	}
	c.end = at
	switch change := d.Change.Change; change.Kind {
	case job.KindState:
		c.ended = ""
		c.state.next(before, at, string(change.To), job.LookUp(change.To, d.Job.Terminal).Class)
		if d.Job.Terminal {
			c.ended = job.Class(d.Job.StateClass)
			c.phase.next(before, at, "", "")
			c.stalled.next(at, at, "", "")
		}
	case job.KindPhase:
		c.phase.next(before, at, string(change.To), job.Active)
	case job.KindFailure:
		if change.Detail != job.DetailState { // which the state shows
			c.failures = append(c.failures, point{at, change.Detail})
		}
	case job.KindWatch:
		c.watch(change, at)
	default:
	}
}

func (c *Course) watch(change job.Change, at time.Time) {
	switch change.Detail {
	case job.DetailAttempt:
		c.attempts = append(c.attempts, point{at, string(change.To)})
	case job.DetailStalled:
		c.stalled.next(at, at, "stalled", job.Held)
	case job.DetailResumed:
		c.stalled.next(at, at, "", "")
	default:
	}
}

// Silent says that a CommServe did not answer from one time on, or that it did again.
func (c *Course) Silent(at time.Time, silent bool) {
	open := len(c.silent) > 0 && c.silent[len(c.silent)-1].to.IsZero()
	switch {
	case silent && !open:
		c.silent = append(c.silent, span{from: at})
	case !silent && open:
		c.silent[len(c.silent)-1].to = at
	}
}

// Until draws the course of a job that has not ended up to the last answer about it; up to now, where the CommServe has
// been silent since.
func (c *Course) Until(known, now time.Time) {
	if c.ended != "" {
		return
	}
	if n := len(c.silent); n > 0 && c.silent[n-1].to.IsZero() {
		known = now
	}
	if known.After(c.end) {
		c.end = known
	}
}

// next ends what was true at the last poll that saw it, and begins what the next one saw; "" is nothing.
func (l *lane) next(before, at time.Time, text string, class job.Class) {
	if n := len(l.spans); n > 0 && l.spans[n-1].to.IsZero() {
		if before.Before(l.spans[n-1].from) {
			before = l.spans[n-1].from
		}
		l.spans[n-1].to = before
	}
	if before.Before(at) {
		l.changes = append(l.changes, span{from: before, to: at})
	}
	if text != "" {
		l.spans = append(l.spans, span{from: at, text: text, class: class})
	}
}

func (s span) has(at time.Time) bool {
	return !at.Before(s.from) && (s.to.IsZero() || at.Before(s.to))
}
