package daemon

import (
	"fmt"
	"reflect"

	"jobwatch/internal/config"
	"jobwatch/internal/poller"
)

// pollers are one for each CommCell.
type pollers struct {
	*supervisor[config.CommCell, *poller.Poller]
}

// newPollers prepares the pollers. The error is one of a CommCell's settings.
func newPollers(cells []config.CommCell, newPoller func(config.CommCell) (*poller.Poller, error)) (pollers, error) {
	s, err := newSupervisor(cells, kind[config.CommCell, *poller.Poller]{
		name: func(cell config.CommCell) string { return cell.Name },
		same: samePolling, gone: "is no longer followed",
		make: func(cell config.CommCell) (*poller.Poller, error) {
			p, err := newPoller(cell)
			if err != nil {
				return nil, fmt.Errorf("commcell %s: %w", cell.Name, err)
			}
			return p, nil
		},
	})
	return pollers{s}, err
}

// samePolling leaves out where in the file a job is listed.
func samePolling(a, b config.CommCell) bool {
	a.JobLines, b.JobLines = nil, nil
	return reflect.DeepEqual(a, b)
}

// Cells are the CommCells of the configuration in force.
func (p pollers) Cells() []config.CommCell { return p.InForce() }

// Follows says whether a CommCell is of the configuration in force.
func (p pollers) Follows(commCell string) bool { return p.has(commCell) }

// Pollers are those of the CommCells in force.
func (p pollers) Pollers() []*poller.Poller { return p.Runners() }

func (p pollers) states() []object {
	p.mu.Lock()
	defer p.mu.Unlock()
	var states []object
	for _, w := range p.workers {
		t := w.runs.Counts.Totals()
		heldUntil, heldBy := w.runs.Hold()
		states = append(states, object{
			"name": w.name, "started": w.stop != nil, "up": t.Up, "since": t.Since, "reason": t.Reason, "tracked": t.Classes,
			"requestLimit": w.runs.Limit(), "heldUntil": heldUntil, "heldBy": text(heldBy),
			"cycles": t.Cycles, "ticksSkipped": t.Skipped, "lastCycleTook": t.Took.String(), "lastCycleBroken": text(t.Broken), "nextTick": t.Due,
		})
	}
	return states
}
