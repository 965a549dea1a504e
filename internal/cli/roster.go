package cli

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

// roster runs a poller for each CommCell of the configuration, and others once that changes.
type roster struct {
	hire    func(config.CommCell) (*poller.Poller, error)
	changed chan struct{} // holds a token when there are seats that have not begun

	mu    sync.Mutex
	seats []*seat          // in the order of the configuration; guarded by mu, as the rest is
	last  map[string]*seat // the last that began for a CommCell: two never poll one at once
}

// seat is a CommCell that is followed, or is about to be.
type seat struct {
	cell   config.CommCell
	poller *poller.Poller
	stop   context.CancelFunc // nil: it has not begun
	ended  chan struct{}
}

// newRoster prepares the pollers. The error is one of a CommCell's settings.
func newRoster(cells []config.CommCell, hire func(config.CommCell) (*poller.Poller, error)) (*roster, error) {
	r := &roster{hire: hire, changed: make(chan struct{}, 1), last: map[string]*seat{}}
	_, err := r.Take(cells)
	return r, err
}

// Run follows the CommCells until ctx ends, or one of them cannot be followed.
func (r *roster) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for {
		select {
		case <-r.changed:
			r.begin(ctx, group)
		case <-ctx.Done():
			return group.Wait()
		}
	}
}

func (r *roster) begin(ctx context.Context, group *errgroup.Group) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.seats {
		if m.stop != nil {
			continue
		}
		own, stop := context.WithCancel(ctx)
		before := r.last[m.cell.Name]
		m.stop, r.last[m.cell.Name] = stop, m
		group.Go(func() error {
			defer close(m.ended)
			defer stop()
			if before != nil {
				<-before.ended
			}
			return m.poller.Run(own)
		})
	}
}

// Take has other CommCells followed from now on, and says in words what that changes; "" is nothing. One whose
// settings stay goes on undisturbed. One that is to be followed otherwise begins anew from what the store holds, as
// after a restart. With an error nothing changes.
func (r *roster) Take(cells []config.CommCell) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	next, err := r.next(cells)
	if err != nil {
		return "", err
	}
	for _, m := range r.seats {
		if !slices.Contains(next, m) && m.stop != nil {
			m.stop()
		}
	}
	words := difference(r.seats, next)
	r.seats = next
	select {
	case r.changed <- struct{}{}:
	default:
	}
	return words, nil
}

func (r *roster) next(cells []config.CommCell) ([]*seat, error) {
	var next []*seat
	for _, cell := range cells {
		old := find(r.seats, cell.Name)
		if old != nil && sameSettings(old.cell, cell) {
			old.cell = cell
			next = append(next, old)
			continue
		}
		p, err := r.hire(cell)
		if err != nil {
			return nil, fmt.Errorf("commcell %s: %w", cell.Name, err)
		}
		next = append(next, &seat{cell: cell, poller: p, ended: make(chan struct{})})
	}
	return next, nil
}

// Cells are the CommCells of the configuration in force.
func (r *roster) Cells() []config.CommCell {
	r.mu.Lock()
	defer r.mu.Unlock()
	cells := make([]config.CommCell, len(r.seats))
	for i, m := range r.seats {
		cells[i] = m.cell
	}
	return cells
}

// Follows says whether a CommCell is of the configuration in force.
func (r *roster) Follows(commCell string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return find(r.seats, commCell) != nil
}

// Pollers are those of the CommCells in force.
func (r *roster) Pollers() []*poller.Poller {
	r.mu.Lock()
	defer r.mu.Unlock()
	pollers := make([]*poller.Poller, len(r.seats))
	for i, m := range r.seats {
		pollers[i] = m.poller
	}
	return pollers
}

func find(seats []*seat, name string) *seat {
	i := slices.IndexFunc(seats, func(m *seat) bool { return m.cell.Name == name })
	if i < 0 {
		return nil
	}
	return seats[i]
}

// sameSettings does not mind where in the file a job is listed.
func sameSettings(a, b config.CommCell) bool {
	a.JobLines, b.JobLines = nil, nil
	return reflect.DeepEqual(a, b)
}

func difference(before, after []*seat) string {
	var words []string
	for _, m := range after {
		switch old := find(before, m.cell.Name); {
		case old == nil:
			words = append(words, m.cell.Name+" is new")
		case old != m:
			words = append(words, m.cell.Name+" has changed")
		}
	}
	for _, m := range before {
		if find(after, m.cell.Name) == nil {
			words = append(words, m.cell.Name+" is no longer followed")
		}
	}
	return strings.Join(words, ", ")
}
