package publish

import (
	"log/slog"
	"maps"
	"slices"
	"sync"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
)

// foreignWriters are the watchers that tell of the same CommCells as this one, which nobody wants: they take from each other
// what the other has told, look again, and find the same.
type foreignWriters struct {
	log *slog.Logger

	mu     sync.Mutex
	writes map[string]int64    // CommCell => jobs taken over; guarded by mu
	epochs map[string][]string // CommCell => their epochs; guarded by mu
}

// mostNamed bounds what is remembered and logged of others that start again and again.
const mostNamed = 20

func newForeignWriters(log *slog.Logger) foreignWriters {
	return foreignWriters{log: log, writes: map[string]int64{}, epochs: map[string][]string{}}
}

// note counts that another has told of a job, and names it when it is first met.
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
