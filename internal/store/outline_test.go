package store

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"jobwatch/internal/job"
)

// briefOf is what a whole job says of itself.
func briefOf(l Listed) Brief {
	b := Brief{ID: l.ID(), Class: job.Class(l.Snapshot.StateClass), Terminal: l.Snapshot.Terminal}
	if b.Class == "" {
		b.Class = job.Unknown
	}
	b.Stalled = l.Told.Stalled && !b.Terminal
	switch {
	case b.Terminal && l.Snapshot.EndTime != nil:
		b.End = l.Snapshot.EndTime.UnixNano()
	case b.Terminal:
		b.End = l.Seen.UnixNano()
	}
	return b
}

// TestOutline holds the briefs of jobs of every kind against what the whole jobs say.
func TestOutline(t *testing.T) {
	f := newStore(t)
	random := rand.New(rand.NewPCG(1, 2))
	end := at.Add(-time.Hour)
	for n := range int64(300) {
		o := observed(job.ID{CommCell: []string{"-a", "prod", "test"}[n%3], Number: n + 1}, "", "")
		s := &o.Snapshot
		s.State = []job.Text{"", "Running", "Waiting", "Pending", "Completed", "Failed", "Killed", "Committed", "Läuft"}[random.IntN(9)]
		s.Client = []job.Text{"", "fall", `a","terminal":true,"endTime":"2020-01-01T00:00:00Z","stateClass":"killed`}[random.IntN(3)]
		if random.IntN(2) == 0 {
			s.EndTime = &end
		}
		if random.IntN(2) == 0 {
			s.Machines = []job.VM{{Name: "endTime", EndTime: new(at)}, {Name: `"endTime":"`, Reason: "terminal"}}
		}
		s.Settle()
		var changes []job.Change
		switch random.IntN(4) {
		case 0:
			changes = []job.Change{{Kind: job.KindWatch, Detail: job.DetailStalled}}
		case 1:
			changes = []job.Change{
				{Kind: job.KindFailure, Detail: job.DetailReason, To: `","stalled":true,"`},
				{Kind: job.KindFailure, Detail: job.DetailVM, VM: "stalled", To: "true"},
			}
		}
		result := f.poll(t, o)
		result.Changes = append(result.Changes, changes...)
		must(t, f.Commit(result))
	}
	must(t, f.Configure("prod", []int64{2, 1000, 1001}))
	known, err := f.Recall(prod)
	must(t, err)
	must(t, f.CommitCommCell(prod, known, []job.Change{{Kind: job.KindCommCell, Detail: job.DetailUnreachable}}, at, "away"))

	whole, err := f.List(job.ID{}, 1000)
	must(t, err)
	briefs, err := f.Outline()
	must(t, err)
	var want []Brief
	var ids []job.ID
	for _, l := range whole {
		want = append(want, briefOf(l))
		ids = append(ids, l.ID())
	}
	if len(want) != 302 || !slices.Equal(briefs, want) {
		t.Errorf("got %+v\nwant %+v", briefs, want)
	}
	shown, err := f.ShowAll(append(ids[:3:3], of(5000)))
	must(t, err)
	if !reflect.DeepEqual(shown, whole[:3]) {
		t.Errorf("shown are %+v, want %+v", shown, whole[:3])
	}
}

// An outline is read in many transactions.
func TestOutlineOfMany(t *testing.T) {
	f := newStore(t)
	var ids []int64
	for n := range int64(2*walkBatch + 1) {
		ids = append(ids, n+1)
	}
	for _, many := range []int{2 * walkBatch, 2*walkBatch + 1} {
		before := f.Version()
		must(t, f.Configure("prod", ids[:many]))
		if f.Version() == before {
			t.Error("the version is the same after jobs were tracked")
		}
		briefs, err := f.Outline()
		must(t, err)
		if len(briefs) != many {
			t.Fatalf("%d are there, want %d", len(briefs), many)
		}
		for i, b := range briefs {
			if b.ID != of(ids[i]) {
				t.Fatalf("the %dth is %s", i, b.ID)
			}
		}
	}
}

func BenchmarkOutline(b *testing.B) {
	f := newStore(b)
	f.db.NoSync, f.db.NoFreelistSync = true, true
	const jobs = 100_000
	for n := range int64(jobs) {
		o := observed(of(n+1), "Completed", "")
		o.Snapshot.EndTime = &at
		o.Snapshot.Client, o.Snapshot.Subclient, o.Snapshot.Reason = "fall.example.com", "default", "a reason of a usual length, for a job"
		o.Snapshot.Settle()
		if err := f.Commit(PollResult{Seen: o}); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		briefs, err := f.Outline()
		if err != nil || len(briefs) != jobs {
			b.Fatal(len(briefs), err)
		}
	}
}
