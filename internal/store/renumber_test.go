package store

import (
	"errors"
	"slices"
	"testing"
	"time"

	"jobwatch/internal/event"
	"jobwatch/internal/failpoint"
	"jobwatch/internal/job"
)

// lived is an answer about a job that began and ended some minutes after at.
func lived(id job.ID, state job.Text, began, ended int) job.Observation {
	o := observed(id, state, "")
	start, end := at.Add(time.Duration(began)*time.Minute), at.Add(time.Duration(ended)*time.Minute)
	o.Snapshot.StartTime, o.Snapshot.EndTime = &start, &end
	o.Snapshot.Settle()
	return o
}

// earlier is what the stream tells of a job, after two other events.
func earlier(t *testing.T, o job.Observation) event.Fold {
	e, err := event.NewMinter(nil).Job(3, job.Change{Kind: job.KindState, Detail: "completed", From: "Running", To: o.Snapshot.State}, o, at)
	must(t, err)
	f := event.Fold{Stream: 77, Last: e, Snapshot: o.Snapshot}
	f.Told = f.Told.Tell(job.Change{Kind: job.KindState, To: o.Snapshot.State}, &o.Snapshot, time.Time{})
	return f
}

func TestEventsOfANumberUsedAgainFollowTheEarlierOnes(t *testing.T) {
	f := newStore(t)
	must(t, f.Commit(f.poll(t, lived(of(71), "Failed", 20, 30))))
	before := f.content(t)
	told := earlier(t, lived(of(71), "Completed", 0, 10))
	f.failAt(failpoint.BeforeCommit)
	if _, err := f.Renumber(of(71), told); !errors.Is(err, errFault) {
		t.Fatal(err)
	}
	if !same(f.content(t), before) {
		t.Error("a failed transaction has changed something")
	}
	meanwhile := f.poll(t, lived(of(71), "Killed", 20, 30))
	if renumbered, err := f.Renumber(of(71), told); !renumbered || err != nil {
		t.Fatal(renumbered, err)
	}
	if err := f.Commit(meanwhile); !errors.Is(err, ErrChanged) {
		t.Errorf("a poll from before: %v", err)
	}
	f.reopen(t)
	f.holds(t, "prod/71#4 state.failed", "prod/71#5 failure.state")
	next, found, err := f.oldest(of(71))
	if err != nil || !found || next.Expect != 77 {
		t.Errorf("expects %d, %v", next.Expect, err)
	}
	f.sent(t, of(71), 78)
	f.sent(t, of(71), 79)
	f.sees(t, of(71), "Running", "")
	f.holds(t, "prod/71#6 state.running")
}

func TestEventsThatMayBeOfTheSameJobAreNotRenumbered(t *testing.T) {
	for name, row := range map[string]struct {
		held job.Observation
		told event.Fold
		edit func(*fixture)
	}{
		"it began before the other ended": {lived(of(71), "Failed", 5, 30), earlier(t, lived(of(71), "Completed", 0, 10)), nil},
		"it says no start":                {observed(of(71), "Failed", ""), earlier(t, lived(of(71), "Completed", 0, 10)), nil},
		"the other says no time":          {lived(of(71), "Failed", 20, 30), earlier(t, observed(of(71), "Completed", "")), nil},
		"the other waits, and may move":   {lived(of(71), "Failed", 20, 30), waiting(t), nil},
		"an event was sent":               {lived(of(71), "Failed", 20, 30), earlier(t, lived(of(71), "Completed", 0, 10)), func(f *fixture) { f.sent(t, of(71), 5) }},
		"its first event is no new state": {lived(of(71), "", 20, 30), earlier(t, lived(of(71), "Completed", 0, 10)), nil},
	} {
		t.Run(name, func(t *testing.T) {
			f := newStore(t)
			if row.held.Snapshot.State == "" {
				row.held.Snapshot.Failures = "0 Folders, 3 Files"
				row.held.Snapshot.Settle()
			}
			must(t, f.Commit(f.poll(t, row.held)))
			if row.edit != nil {
				row.edit(f)
			}
			before := f.unsentEvents(t)
			if renumbered, err := f.Renumber(of(71), row.told); renumbered || err != nil {
				t.Error(renumbered, err)
			}
			if !slices.Equal(f.unsentEvents(t), before) {
				t.Errorf("unsent were %v, and are %v", before, f.unsentEvents(t))
			}
		})
	}
}

func waiting(t *testing.T) event.Fold {
	o := observed(of(71), "Queued", "")
	o.Snapshot.LastUpdateTime = &at
	return earlier(t, o)
}
