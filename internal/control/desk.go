// Package control is the desk at which people ask for jobs, and have them tracked or untracked: the
// Desk works on the store; a Server lets others use it through a Unix socket, and a Client does.
package control

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"jobwatch/internal/job"
	"jobwatch/internal/store"
)

// Desk answers from a store, in the process that holds it.
type Desk struct {
	Store     *store.Store
	CommCells func() map[string]CommCell // by name; they change with the configuration
}

// CommCell is what the desk knows of a CommCell of the configuration.
type CommCell struct {
	Jobs    map[int64]string // configured job => where the configuration lists it, "watcher.yaml:12"
	LookNow func(job.ID)     // nil: nobody looks
}

// Jobs lists up to limit jobs behind the one given, in the order of CommCell and number.
func (d *Desk) Jobs(_ context.Context, after job.ID, limit int) ([]store.Listed, error) {
	return d.Store.List(after, limit)
}

// Job shows one job. The error says so where nothing is known of it.
func (d *Desk) Job(_ context.Context, id job.ID) (store.Listed, error) {
	l, found, err := d.Store.Show(id)
	if err == nil && !found {
		err = fmt.Errorf("%s: no such job here; list them with: watcher jobs list", id)
	}
	return l, err
}

// Track has a job looked at from now on, until its end is told; at once where somebody looks.
func (d *Desk) Track(_ context.Context, id job.ID) error {
	cell, err := d.commCell(id)
	if err != nil {
		return err
	}
	if err := d.Store.Track(store.ByHand, id); err != nil {
		return err
	}
	if cell.LookNow != nil {
		cell.LookNow(id)
	}
	return nil
}

// Untrack has a job looked at no more until it is forgotten. One of the configuration is refused.
func (d *Desk) Untrack(_ context.Context, id job.ID) error {
	cell, err := d.commCell(id)
	if err != nil {
		return err
	}
	if place, configured := cell.Jobs[id.Number]; configured {
		return fmt.Errorf("%s: tracked by the configuration, %s; take it out there", id, place)
	}
	err = d.Store.Untrack(id)
	if errors.Is(err, store.ErrNotTracked) {
		return fmt.Errorf("%s: not tracked; list what is with: watcher jobs list", id)
	}
	return err
}

// Stat counts what the store holds.
func (d *Desk) Stat(context.Context) (store.Stat, error) { return d.Store.Stat() }

// Backup copies the store to a file that is not there yet, and returns its size in bytes.
func (d *Desk) Backup(ctx context.Context, file string) (int64, error) {
	if !filepath.IsAbs(file) { // of another process's folder
		return 0, fmt.Errorf("%s: no absolute path", file)
	}
	return d.Store.Backup(ctx, file)
}

// Verify looks at all that the store holds.
func (d *Desk) Verify(ctx context.Context) (store.Verified, error) { return d.Store.Verify(ctx) }

func (d *Desk) commCell(id job.ID) (CommCell, error) {
	cells := d.CommCells()
	cell, known := cells[id.CommCell]
	if !known {
		names := slices.Sorted(maps.Keys(cells))
		return CommCell{}, fmt.Errorf("%s: no CommCell %q in the configuration, which names %s",
			id, id.CommCell, strings.Join(names, ", "))
	}
	return cell, nil
}
