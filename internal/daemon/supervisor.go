package daemon

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"jobwatch/internal/config"
	"jobwatch/internal/poller"
)

// supervisor runs a poller for each CommCell of the configuration, and others once that changes.
type supervisor struct {
	newPoller func(config.CommCell) (*poller.Poller, error)
	changed   chan struct{} // holds a token when there are workers that have not started

	mu      sync.Mutex
	workers []*worker          // in the order of the configuration; guarded by mu, as the rest is
	last    map[string]*worker // the last that started for a CommCell: two never poll one at once
}

// worker is the poller of a CommCell, running or about to.
type worker struct {
	cell   config.CommCell
	poller *poller.Poller
	stop   context.CancelFunc // nil: it has not started
	ended  chan struct{}
}

// newSupervisor prepares the pollers. The error is one of a CommCell's settings.
func newSupervisor(cells []config.CommCell, newPoller func(config.CommCell) (*poller.Poller, error)) (*supervisor, error) {
	s := &supervisor{newPoller: newPoller, changed: make(chan struct{}, 1), last: map[string]*worker{}}
	_, err := s.Apply(cells)
	return s, err
}

// Run follows the CommCells until ctx ends, or one of them cannot be followed.
func (s *supervisor) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for {
		select {
		case <-s.changed:
			s.start(ctx, group)
		case <-ctx.Done():
			return group.Wait()
		}
	}
}

func (s *supervisor) start(ctx context.Context, group *errgroup.Group) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.workers {
		if w.stop != nil {
			continue
		}
		own, stop := context.WithCancel(ctx)
		before := s.last[w.cell.Name]
		w.stop, s.last[w.cell.Name] = stop, w
		group.Go(func() error {
			defer close(w.ended)
			defer stop()
			if before != nil { // two never poll a CommCell at once
				<-before.ended
			}
			return w.poller.Run(own)
		})
	}
}

// Apply follows these CommCells from now on, and says in words what that changes; "" is nothing. One whose settings
// stay goes on undisturbed. One whose settings differ starts again from what the store holds, as after a restart.
// With an error nothing changes.
func (s *supervisor) Apply(cells []config.CommCell) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next, err := s.next(cells)
	if err != nil {
		return "", err
	}
	for _, w := range s.workers {
		if !slices.Contains(next, w) && w.stop != nil {
			w.stop()
		}
	}
	words := difference(s.workers, next)
	s.workers = next
	select {
	case s.changed <- struct{}{}:
	default:
	}
	return words, nil
}

func (s *supervisor) next(cells []config.CommCell) ([]*worker, error) {
	var next []*worker
	for _, cell := range cells {
		old := find(s.workers, cell.Name)
		if old != nil && sameSettings(old.cell, cell) {
			old.cell = cell
			next = append(next, old)
			continue
		}
		p, err := s.newPoller(cell)
		if err != nil {
			return nil, fmt.Errorf("commcell %s: %w", cell.Name, err)
		}
		next = append(next, &worker{cell: cell, poller: p, ended: make(chan struct{})})
	}
	return next, nil
}

// Cells are the CommCells of the configuration in force.
func (s *supervisor) Cells() []config.CommCell {
	s.mu.Lock()
	defer s.mu.Unlock()
	cells := make([]config.CommCell, len(s.workers))
	for i, w := range s.workers {
		cells[i] = w.cell
	}
	return cells
}

// Follows says whether a CommCell is of the configuration in force.
func (s *supervisor) Follows(commCell string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return find(s.workers, commCell) != nil
}

// Pollers are those of the CommCells in force.
func (s *supervisor) Pollers() []*poller.Poller {
	s.mu.Lock()
	defer s.mu.Unlock()
	pollers := make([]*poller.Poller, len(s.workers))
	for i, w := range s.workers {
		pollers[i] = w.poller
	}
	return pollers
}

func find(workers []*worker, name string) *worker {
	i := slices.IndexFunc(workers, func(w *worker) bool { return w.cell.Name == name })
	if i < 0 {
		return nil
	}
	return workers[i]
}

// sameSettings leaves out where in the file a job is listed.
func sameSettings(a, b config.CommCell) bool {
	a.JobLines, b.JobLines = nil, nil
	return reflect.DeepEqual(a, b)
}

func difference(before, after []*worker) string {
	var words []string
	for _, w := range after {
		switch old := find(before, w.cell.Name); {
		case old == nil:
			words = append(words, w.cell.Name+" is new")
		case old != w:
			words = append(words, w.cell.Name+" has changed")
		}
	}
	for _, w := range before {
		if find(after, w.cell.Name) == nil {
			words = append(words, w.cell.Name+" is no longer followed")
		}
	}
	return strings.Join(words, ", ")
}
