package daemon

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"

	"jobwatch/internal/config"
	"jobwatch/internal/poller"
)

// pollers are one for each CommCell. In a cluster those of CommCells that another member polls only look after what this
// store still holds of them.
type pollers struct {
	*supervisor[part, *partRunner]

	mu    sync.Mutex
	cells []config.CommCell // of the configuration in force; guarded by mu
	here  map[string]bool   // CommCells that are polled here; nil: all; guarded by mu
}

// part is a CommCell, and whether it is polled here.
type part struct {
	config.CommCell
	here bool
}

// partRunner runs a poller as its part says.
type partRunner struct {
	*poller.Poller
	here bool
}

func (r *partRunner) Run(ctx context.Context) error {
	if r.here {
		return r.Poller.Run(ctx)
	}
	return r.RunOwed(ctx)
}

// newPollers prepares the pollers. The error is one of a CommCell's settings. shared: none is polled before Poll is called.
func newPollers(cells []config.CommCell, shared bool, newPoller func(config.CommCell) (*poller.Poller, error)) (*pollers, error) {
	p := &pollers{cells: cells}
	if shared {
		p.here = map[string]bool{}
	}
	var err error
	p.supervisor, err = newSupervisor(p.parts(), kind[part, *partRunner]{
		name: func(of part) string { return of.Name },
		same: samePolling, gone: "is no longer followed",
		make: func(of part) (*partRunner, error) {
			p, err := newPoller(of.CommCell)
			if err != nil {
				return nil, fmt.Errorf("commcell %s: %w", of.Name, err)
			}
			return &partRunner{p, of.here}, nil
		},
	})
	return p, err
}

// samePolling leaves out where in the file a job is listed.
func samePolling(a, b part) bool {
	a.JobLines, b.JobLines = nil, nil
	return reflect.DeepEqual(a, b)
}

// parts is called with mu held, or before anybody else can.
func (p *pollers) parts() []part {
	all := make([]part, len(p.cells))
	for i, cell := range p.cells {
		all[i] = part{cell, p.here == nil || p.here[cell.Name]}
	}
	return all
}

// Apply takes a configuration. With an error nothing changes.
func (p *pollers) Apply(cells []config.CommCell) (words string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.cells
	p.cells = cells
	if words, err = p.supervisor.Apply(p.parts()); err != nil {
		p.cells = before
	}
	return words, err
}

// Poll has a CommCell polled here from now on, or no more. What ran before may not have ended yet: wait does so.
func (p *pollers) Poll(commCell string, here bool) (wait func(), err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.here[commCell] == here { // what runs goes on: it is not waited for
		return func() {}, nil
	}
	wait = p.ending(commCell)
	before := maps.Clone(p.here)
	p.here[commCell] = here
	if _, err = p.supervisor.Apply(p.parts()); err != nil {
		p.here = before
	}
	return wait, err
}

// Cells are the CommCells of the configuration in force.
func (p *pollers) Cells() []config.CommCell {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cells
}

// Follows says whether a CommCell is polled here: nobody else should tell of it. It is asked for each event.
func (p *pollers) Follows(commCell string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return (p.here == nil || p.here[commCell]) &&
		slices.ContainsFunc(p.cells, func(cell config.CommCell) bool { return cell.Name == commCell })
}

// Pollers are those of the CommCells that are polled here.
func (p *pollers) Pollers() []*poller.Poller {
	var all []*poller.Poller
	for _, r := range p.Runners() {
		if r.here {
			all = append(all, r.Poller)
		}
	}
	return all
}

// Poller is that of a CommCell that is polled here; else nil.
func (p *pollers) Poller(commCell string) *poller.Poller {
	for _, own := range p.Pollers() {
		if own.CommCell == commCell {
			return own
		}
	}
	return nil
}

func (p *pollers) states() []object {
	p.supervisor.mu.Lock()
	defer p.supervisor.mu.Unlock()
	var states []object
	for _, w := range p.workers {
		t := w.runs.Counts.Totals()
		heldUntil, heldBy := w.runs.Hold()
		states = append(states, object{
			"name": w.name, "started": w.stop != nil, "here": w.runs.here, "up": t.Up, "since": t.Since, "reason": t.Reason, "tracked": t.Classes,
			"requestLimit": w.runs.Limit(), "heldUntil": heldUntil, "heldBy": text(heldBy),
			"cycles": t.Cycles, "ticksSkipped": t.Skipped, "lastCycleTook": t.Took.String(), "lastCycleBroken": text(t.Broken), "nextTick": t.Due,
		})
	}
	return states
}
