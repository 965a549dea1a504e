package store

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"jobwatch/internal/job"
)

// listed is a job of a list in the form "prod/71 discovered Running, 2 of 3 sent".
func listed(l Listed) string {
	return fmt.Sprintf("%s %s %s, %d of %d sent", l.ID(), l.Why, l.Snapshot.State, l.Sequence-uint64(l.Unsent), l.Sequence)
}

func TestList(t *testing.T) {
	f := newStore(t)
	dashed, test := job.ID{CommCell: "-a", Number: 3}, job.ID{CommCell: "test", Number: 1}
	f.sees(t, of(71), "Running", "Scan")
	f.sees(t, of(300), "Waiting", "")
	f.sees(t, dashed, "Running", "")
	f.sees(t, test, "Completed", "")
	f.sent(t, of(71), 1)
	must(t, f.Track(Discovered, of(71), test))
	must(t, f.Configure("prod", []int64{80}))
	known, err := f.Recall(prod)
	must(t, err)
	must(t, f.CommitCommCell(prod, known, []job.Change{{Kind: job.KindCommCell, Detail: job.DetailUnreachable}}, at, "away"))

	all := []string{
		"-a/3  Running, 0 of 1 sent",
		"prod/71 discovered Running, 1 of 2 sent",
		"prod/80 configured , 0 of 0 sent",
		"prod/300  Waiting, 0 of 1 sent",
		"test/1 discovered Completed, 0 of 1 sent",
	}
	for _, row := range []struct {
		after job.ID
		limit int
		want  []string
	}{
		{job.ID{}, 100, all},
		{job.ID{}, 2, all[:2]},
		{of(71), 2, all[2:4]},
		{of(75), 100, all[2:]},
		{of(300), 100, all[4:]},
		{job.ID{CommCell: "prod"}, 1, all[1:2]},
		{test, 100, nil},
		{job.ID{}, 0, nil},
	} {
		page, err := f.List(row.after, row.limit)
		must(t, err)
		var got []string
		for _, l := range page {
			got = append(got, listed(l))
		}
		if !slices.Equal(got, row.want) {
			t.Errorf("%d after %q: got %q, want %q", row.limit, row.after, got, row.want)
		}
	}
}

func TestShow(t *testing.T) {
	f := newStore(t)
	o := observed(of(71), "Running", "Scan")
	o.Snapshot.Machines = []job.VM{{Name: "sk-vm1", Reason: "no disk"}}
	must(t, f.Commit(f.poll(t, o)))
	must(t, f.Track(Configured, of(80)))

	l, found, err := f.Show(of(71))
	if err != nil || !found || listed(l) != "prod/71  Running, 0 of 3 sent" {
		t.Errorf("got %s, %v, %v", listed(l), found, err)
	}
	if !slices.Equal(l.Snapshot.Machines, o.Snapshot.Machines) || l.Told.Phase != "Scan" || !l.Seen.Equal(at) {
		t.Errorf("got %+v", l)
	}
	if l, found, err := f.Show(of(80)); err != nil || !found || l.ID() != of(80) || l.Why != Configured || !l.Seen.IsZero() {
		t.Errorf("a tracked job never seen is %+v, %v, %v", l, found, err)
	}
	for _, id := range []job.ID{of(72), prod, {}} {
		if l, found, err := f.Show(id); err != nil || found {
			t.Errorf("%q is %+v, %v, %v", id, l, found, err)
		}
	}
}

func TestOldestUnsent(t *testing.T) {
	f := newStore(t)
	want := func(want time.Time) {
		t.Helper()
		if got, err := f.OldestUnsent(); err != nil || !got.Equal(want) {
			t.Errorf("the oldest is of %v (%v), want %v", got, err, want)
		}
	}
	want(time.Time{})
	late, early := observed(of(71), "Running", ""), observed(of(72), "Running", "")
	late.Answered, early.Answered = at.Add(time.Minute), at
	must(t, f.Commit(f.poll(t, late)))
	must(t, f.Commit(f.poll(t, early)))
	want(at)
	f.sent(t, of(72), 1)
	want(at.Add(time.Minute))
	f.sent(t, of(71), 2)
	want(time.Time{})
}
