package control

import (
	"context"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"jobwatch/internal/diff"
	"jobwatch/internal/job"
	"jobwatch/internal/store"
)

// sees has the store hold a job as it was seen.
func (w *watcher) sees(t *testing.T, s job.Snapshot, more ...job.Change) {
	t.Helper()
	s.Settle()
	known, err := w.Store.Recall(s.JobID())
	if err != nil {
		t.Fatal(err)
	}
	seen := job.Observation{Snapshot: s, Asked: time.Unix(1_800_000_000, 0).UTC()}
	err = w.Store.Commit(store.PollResult{Known: known, Seen: seen, Changes: append(diff.Since(known.Told, &s), more...)})
	if err != nil {
		t.Fatal(err)
	}
}

// TestSelect is the same in the process and through the socket.
func TestSelect(t *testing.T) {
	w := newWatcher(t, filepath.Join(t.TempDir(), "watcher.db"))
	percent, asked := 62.5, time.Unix(1_800_000_100, 0).UTC()
	cells := w.CommCells()
	prod := cells["prod"]
	prod.Progress = func(number int64) *store.Progress {
		if number == 9 {
			return nil
		}
		return &store.Progress{Percent: &percent, Asked: asked}
	}
	w.CommCells = func() map[string]CommCell { return map[string]CommCell{"prod": prod} }
	hours := func(n int) *time.Time { return new(asked.Add(-time.Duration(n) * time.Hour)) }
	stalled := job.Change{Kind: job.KindWatch, Detail: job.DetailStalled, To: "no progress"}
	w.sees(t, job.Snapshot{CommCell: "prod", Number: 1, State: "Running"}, stalled)
	w.sees(t, job.Snapshot{CommCell: "prod", Number: 2, State: "Completed", EndTime: hours(1)})
	w.sees(t, job.Snapshot{CommCell: "prod", Number: 3, State: "Failed", EndTime: hours(2)})
	w.sees(t, job.Snapshot{CommCell: "prod", Number: 4, State: "Killed", EndTime: hours(30)})
	w.sees(t, job.Snapshot{CommCell: "lab", Number: 5, State: "Pending"})
	w.sees(t, job.Snapshot{CommCell: "prod", Number: 9, State: "Waiting"})

	type selects interface {
		Select(context.Context, Selection) ([]job.ID, error)
		Show(context.Context, []job.ID) ([]store.Listed, error)
	}
	for name, a := range map[string]selects{"itself": w.Admin, "through the socket": w.open(t)} {
		for _, row := range []struct {
			Selection
			want []string
		}{
			{Selection{}, []string{"prod/9", "lab/5", "prod/1", "prod/2", "prod/3", "prod/4"}},
			{Selection{CommCell: "lab"}, []string{"lab/5"}},
			{Selection{Classes: []job.Class{job.Failed, job.Killed}}, []string{"prod/3", "prod/4"}},
			{Selection{EndedSince: *hours(3)}, []string{"prod/9", "lab/5", "prod/1", "prod/2", "prod/3"}},
			{Selection{CommCell: "dr"}, nil},
		} {
			ids, err := a.Select(t.Context(), row.Selection)
			if err != nil || !slices.Equal(namesOf(ids).Names, row.want) {
				t.Errorf("%s: %+v selects %v (%v), want %v", name, row.Selection, ids, err, row.want)
			}
		}
		all, err := a.Show(t.Context(), []job.ID{of(3), of(77), of(1), of(9)})
		if err != nil || len(all) != 3 || all[0].ID() != of(3) || all[1].ID() != of(1) || all[2].ID() != of(9) {
			t.Fatalf("%s: shown are %+v (%v)", name, all, err)
		}
		if p := all[1].Progress; !all[1].Told.Stalled || p == nil || *p.Percent != percent || !p.Asked.Equal(asked) {
			t.Errorf("%s: of the one that runs, stalled is %v and progress %+v", name, all[1].Told.Stalled, p)
		}
		if all[0].Progress != nil || all[2].Progress != nil || all[0].Told.Stalled {
			t.Errorf("%s: one that has ended, or that nothing is known of, has progress: %+v, %+v", name, all[0], all[2])
		}
	}
}
