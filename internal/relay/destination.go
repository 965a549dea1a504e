// Package relay takes events from the stream to one destination: at least once, in the order of the stream for each job,
// never past one that was neither delivered nor became a dead letter.
package relay

import (
	"bytes"
	"context"
	"time"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
)

// Event is an event on its way to a destination.
type Event struct {
	Sequence uint64 // in the stream
	Subject  string // with the prefix
	ID       string // of the event
	Job      job.ID // Number 0: of the CommCell itself
	Data     []byte // the CloudEvent, as the stream holds it
	Replayed bool   // it was sent again on request
	Redriven bool   // it was a dead letter; later events of its job may have been told

	parsed  *event.Event
	jobData *event.JobData
}

// Batch is what is delivered together, in the order of the stream. Without a group all its events are of one job, or, for
// a destination that takes the whole stream in order, of any.
type Batch struct {
	Group  string // what its jobs have in common, where more of them than told singly are told as one; else empty
	Events []*Event
}

// Destination takes events. One relay calls it from several goroutines, with one batch of a job at a time.
type Destination interface {
	// Deliver delivers the events in their order, and says how many of them, from the first on, were delivered; of a
	// group all or none. The error says why not the next one: a *Refusal, or any other, which counts as Uncertain.
	Deliver(ctx context.Context, b Batch) (done int, err error)
}

// Refusal is why a destination did not take an event.
type Refusal struct {
	Kind   Kind
	Reason string        // one line for people, without a secret
	Status int           // of HTTP or SMTP; 0: none
	After  time.Duration // Retry-After; 0: it said none
}

// Kind is what a refusal means for what comes next.
type Kind int

const (
	Uncertain Kind = iota // the event, or the destination? A 5xx, a time-out, a connection cut under way
	Away                  // the destination takes nothing from anybody: no connection, 401, 403, 404, 407, 429, a redirect
	Unfit                 // this event as it is: 400, 413, 415, 422. The third time it is a dead letter
	Gone                  // 410: nothing more is wanted. The relay is off until somebody turns it on
	Broken                // it stands still until somebody has looked: an audit file that was tampered with
)

// String is the kind's name, as metrics have it.
func (k Kind) String() string {
	switch k {
	case Away:
		return "away"
	case Unfit:
		return "unfit"
	case Gone:
		return "gone"
	case Broken:
		return "broken"
	default:
		return "uncertain"
	}
}

// Memory is what a destination remembers over a crash, in keys that are the relay's own.
type Memory interface {
	Get(ctx context.Context, key string) (value []byte, revision uint64, err error) // revision 0: nothing
	Put(ctx context.Context, key string, value []byte, revision uint64) (uint64, error)
	Delete(ctx context.Context, key string, revision uint64) error
}

func (r *Refusal) Error() string { return r.Reason }

// Parsed reads the event. It is not for several goroutines at once.
func (e *Event) Parsed() (event.Event, error) {
	if e.parsed == nil {
		parsed, err := event.Parse(e.Data)
		if err != nil {
			return event.Event{}, err
		}
		e.parsed = &parsed
	}
	return *e.parsed, nil
}

// time reads when the event was, which stands before all that the CommServe said.
func (e *Event) time() (at time.Time, ok bool) {
	_, rest, _ := bytes.Cut(e.Data, []byte(`"time":"`))
	text, _, _ := bytes.Cut(rest, []byte(`"`))
	at, err := time.Parse(time.RFC3339Nano, string(text))
	return at, err == nil
}

// JobData reads the data of an event about a job.
func (e *Event) JobData() (event.JobData, error) {
	if e.jobData == nil {
		parsed, err := e.Parsed()
		if err != nil {
			return event.JobData{}, err
		}
		data, err := parsed.Job()
		if err != nil {
			return event.JobData{}, err
		}
		e.jobData = &data
	}
	return *e.jobData, nil
}
