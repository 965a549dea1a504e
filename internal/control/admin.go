// Package control is what an administrator asks of a watcher: to list, track and untrack jobs, and to look after the
// store. Admin does it on an open store; a Server lets other processes use it through a Unix socket, and a Client does.
package control

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"

	"jobwatch/internal/job"
	"jobwatch/internal/store"
)

// Admin answers from a store, in the process that holds it.
type Admin struct {
	Store     *store.Store
	CommCells func() map[string]CommCell // by name; they change with the configuration

	// TellOwner tells whoever polls a job's CommCell that the job is to be tracked (ByHand) or not (Untracked), and says
	// whether that is another watcher. nil: there are no others.
	TellOwner func(context.Context, job.ID, store.Why) (elsewhere bool, err error)

	// FollowedBy is the other watcher that polls a CommCell; "": none. nil: nobody knows.
	FollowedBy func(commCell string) string
}

// CommCell is what an Admin knows of a CommCell of the configuration.
type CommCell struct {
	Jobs    map[int64]string // configured job => where the configuration lists it, "watcher.yaml:12"
	PollNow func(job.ID)     // nil: no poller runs

	// Progress is what the last answer about a job said of how far it is; nil: there was none. nil itself: no poller runs.
	Progress func(number int64) *store.Progress
}

// Refused is what cannot be done as it was asked for. Its status is the one of HTTP that says why.
type Refused struct {
	Status int
	Text   string
}

func (r *Refused) Error() string { return r.Text }

func refused(status int, format string, values ...any) error {
	return &Refused{status, fmt.Sprintf(format, values...)}
}

// Jobs lists up to limit jobs behind the one given, in the order of CommCell and number.
func (a *Admin) Jobs(_ context.Context, after job.ID, limit int) ([]store.Listed, error) {
	page, err := a.Store.List(after, limit)
	a.addLive(page)
	return page, err
}

// Job shows one job. The error says so where nothing is known of it.
func (a *Admin) Job(_ context.Context, id job.ID) (store.Listed, error) {
	l, found, err := a.Store.Show(id)
	if err == nil && !found {
		err = refused(http.StatusNotFound, "%s: no such job here; list them with: watcher jobs list", id)
	}
	one := []store.Listed{l}
	a.addLive(one)
	return one[0], err
}

// Track has a job polled from now on, until its end is told; at once where a poller runs.
func (a *Admin) Track(ctx context.Context, id job.ID) error {
	cell, err := a.commCell(id)
	if err != nil {
		return err
	}
	if elsewhere, err := a.tellOwner(ctx, id, store.ByHand); elsewhere || err != nil {
		return err
	}
	if err := a.Store.Track(store.ByHand, id); err != nil {
		return err
	}
	if cell.PollNow != nil {
		cell.PollNow(id)
	}
	return nil
}

// Untrack has a job polled no more until it is forgotten. One of the configuration is refused.
func (a *Admin) Untrack(ctx context.Context, id job.ID) error {
	cell, err := a.commCell(id)
	if err != nil {
		return err
	}
	if place, configured := cell.Jobs[id.Number]; configured {
		return refused(http.StatusConflict, "%s: tracked by the configuration, %s; take it out there", id, place)
	}
	if elsewhere, err := a.tellOwner(ctx, id, store.Untracked); elsewhere || err != nil {
		return err
	}
	err = a.Store.Untrack(id)
	if errors.Is(err, store.ErrNotTracked) {
		return refused(http.StatusConflict, "%s: not tracked; list what is with: watcher jobs list", id)
	}
	return err
}

func (a *Admin) tellOwner(ctx context.Context, id job.ID, why store.Why) (elsewhere bool, err error) {
	if a.TellOwner == nil {
		return false, nil
	}
	return a.TellOwner(ctx, id, why)
}

// Stat counts what the store holds.
func (a *Admin) Stat(context.Context) (store.Stat, error) { return a.Store.Stat() }

// Backup copies the store to a file that is not there yet, and returns its size in bytes.
func (a *Admin) Backup(ctx context.Context, file string) (int64, error) {
	if !filepath.IsAbs(file) { // of another process's folder
		return 0, fmt.Errorf("%s: no absolute path", file)
	}
	return a.Store.Backup(ctx, file)
}

// Verify checks all that the store holds.
func (a *Admin) Verify(ctx context.Context) (store.Verified, error) { return a.Store.Verify(ctx) }

func (a *Admin) commCell(id job.ID) (CommCell, error) {
	cells := a.CommCells()
	cell, known := cells[id.CommCell]
	if !known {
		names := slices.Sorted(maps.Keys(cells))
		return CommCell{}, refused(http.StatusNotFound, "%s: no CommCell %q in the configuration, which names %s",
			id, id.CommCell, strings.Join(names, ", "))
	}
	return cell, nil
}
