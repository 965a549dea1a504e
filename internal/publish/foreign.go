package publish

import (
	"log/slog"
	"maps"
	"slices"
	"sync"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
)

// foreignWriters are other watchers that write of the same CommCells as this one. Nobody wants that: each adopts what
// the other has told, polls again, and finds the same.
type foreignWriters struct {
	log *slog.Logger

	mu     sync.Mutex
	writes map[string]int64    // CommCell => jobs adopted; guarded by mu
	epochs map[string][]string // CommCell => their epochs; guarded by mu
}

// mostNamed bounds what is remembered and logged of foreign writers that start again and again.
const mostNamed = 20

func newForeignWriters(log *slog.Logger) foreignWriters {
	return foreignWriters{log: log, writes: map[string]int64{}, epochs: map[string][]string{}}
}

// note counts a foreign event of a job, and logs its writer when it is first met.
func (o *foreignWriters) note(id job.ID, last event.Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.writes[id.CommCell]++
	epoch, named := event.Epoch(last.ID), o.epochs[id.CommCell]
	if slices.Contains(named, epoch) || len(named) == mostNamed {
		return
	}
	o.epochs[id.CommCell] = append(named, epoch)
	o.log.Warn("another watcher tells of this CommCell too; stop one of the two, they only get in each other's way",
		"commcell", id.CommCell, "job", id.String(), "event", last.ID)
}

func (o *foreignWriters) counts() map[string]int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return maps.Clone(o.writes)
}
