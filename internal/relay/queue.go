package relay

import (
	"time"

	"jobwatch/internal/job"
	"jobwatch/internal/stream"
)

// item is an event that waits, with the delivery that has to be settled.
type item struct {
	event    *Event
	delivery stream.Delivery
	redrive  *redrive // it was a dead letter; there is no delivery then
	arrived  time.Time
}

// queue is what waits of one job, the oldest first. One of its deliveries is under way at most.
type queue struct {
	key   string
	id    job.ID
	items []*item
	busy  bool

	offered bool   // it stands in line to be tried
	group   string // all its jobs are told as one
	members []string
	blocked int     // groups to be delivered first
	open    *group  // the window in which events of the job are
	behind  []*item // that: what was a dead letter

	trouble *trouble // nil: its events are taken
	parked  *parked  // nil: they wait here
}

// trouble is that a job's events are refused. It outlives a session.
type trouble struct {
	first, last time.Time
	next        time.Time // not to be tried before
	step        time.Duration
	tries       int           // of the first event that waits
	unfit       int           // tries at which it was unfit
	own         bool          // those of others were taken meanwhile
	base        time.Duration // of health's clock at the first refusal; what was counted before is taken off
	status      int
	reason      string
}

func (q *queue) empty() bool { return len(q.items) == 0 && q.parked == nil }
