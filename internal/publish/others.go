package publish

import (
	"log/slog"
	"maps"
	"slices"
	"sync"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
)

// others are the watchers that tell of the same CommCells as this one, which nobody wants: they take from each other
// what the other has told, look again, and find the same.
type others struct {
	log *slog.Logger

	mu    sync.Mutex
	times map[string]int64    // CommCell => jobs taken over; guarded by mu
	named map[string][]string // CommCell => their epochs; guarded by mu
}

// mostNamed bounds what is remembered and logged of others that start again and again.
const mostNamed = 20

func newOthers(log *slog.Logger) others {
	return others{log: log, times: map[string]int64{}, named: map[string][]string{}}
}

// spoke counts that another has told of a job, and names it when it is first met.
func (o *others) spoke(id job.ID, last event.Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.times[id.CommCell]++
	epoch, named := event.Epoch(last.ID), o.named[id.CommCell]
	if slices.Contains(named, epoch) || len(named) == mostNamed {
		return
	}
	o.named[id.CommCell] = append(named, epoch)
	o.log.Warn("another watcher tells of this CommCell too; stop one of the two, they only get in each other's way",
		"commcell", id.CommCell, "job", id.String(), "event", last.ID)
}

func (o *others) counts() map[string]int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return maps.Clone(o.times)
}
