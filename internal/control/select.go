package control

import (
	"cmp"
	"context"
	"math"
	"slices"
	"time"

	"jobwatch/internal/job"
	"jobwatch/internal/store"
)

// Selection says which jobs are wanted, by what is known of all of them without reading each; empty members take all.
type Selection struct {
	CommCell   string      `json:"commcell,omitempty"`
	Classes    []job.Class `json:"classes,omitempty"`   // any of them
	EndedSince time.Time   `json:"endedSince,omitzero"` // of those that have ended; what has not is wanted
}

func (s Selection) takes(b store.Brief) bool {
	return (s.CommCell == "" || b.ID.CommCell == s.CommCell) &&
		(len(s.Classes) == 0 || slices.Contains(s.Classes, b.Class)) &&
		(!b.Terminal || s.EndedSince.IsZero() || b.End >= s.EndedSince.UnixNano())
}

// Select names the jobs that are wanted: first those that have not ended, the newest first, then the others, the latest
// end first.
func (a *Admin) Select(_ context.Context, s Selection) ([]job.ID, error) {
	all, err := a.Store.Outline()
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(b store.Brief) bool { return !s.takes(b) })
	slices.SortFunc(all, func(a, b store.Brief) int {
		return cmp.Or(
			cmp.Compare(end(b), end(a)),
			cmp.Compare(b.ID.Number, a.ID.Number),
			cmp.Compare(a.ID.CommCell, b.ID.CommCell))
	})
	ids := make([]job.ID, len(all))
	for i, b := range all {
		ids[i] = b.ID
	}
	return ids, nil
}

// end is later than all where there was none yet.
func end(b store.Brief) int64 {
	if !b.Terminal {
		return math.MaxInt64
	}
	return b.End
}

// Show reads the jobs that are known of those given, in their order.
func (a *Admin) Show(_ context.Context, ids []job.ID) ([]store.Listed, error) {
	all, err := a.Store.ShowAll(ids)
	a.addLive(all)
	return all, err
}

// addLive adds what no store knows: who else follows a job, and how far it is if it has not ended.
func (a *Admin) addLive(all []store.Listed) {
	cells := a.CommCells()
	for i := range all {
		of := &all[i]
		if a.FollowedBy != nil {
			of.FollowedBy = a.FollowedBy(of.Snapshot.CommCell)
		}
		if p := cells[of.Snapshot.CommCell].Progress; p != nil && !of.Snapshot.Terminal {
			of.Progress = p(of.Snapshot.Number)
		}
	}
}
