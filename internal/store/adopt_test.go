package store

import (
	"errors"
	"testing"
	"time"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
)

// A poll that began before a foreign event was adopted compares with what is not told any more.
func TestAPollUnderWayIsOutdatedByAnAdoption(t *testing.T) {
	f := newStore(t)
	f.sees(t, of(71), "Running", "")
	result := f.poll(t, observed(of(71), "Pending", ""))
	other := toldByAnother(t, of(71), "Suspended")
	other.Asked = at.Add(time.Minute)
	must(t, f.Adopt(of(71), other))
	if err := f.Commit(result); !errors.Is(err, ErrChanged) {
		t.Fatalf("got %v, want %v", err, ErrChanged)
	}
	known, err := f.Recall(of(71))
	must(t, err)
	if !known.Asked.Equal(other.Asked) || !known.Updated.Equal(other.Snapshot.Updated()) {
		t.Errorf("asked %v, updated %v: not the other watcher's", known.Asked, known.Updated)
	}
}

// The names of the machines that failed are in no snapshot of the stream: they can still be told.
func TestARefreshIsPendingOfAFinishedJobWhoseMachinesAreNotTold(t *testing.T) {
	f := newStore(t)
	other := toldByAnother(t, of(1), "Completed")
	other.Snapshot.VMs = &job.VMCount{Total: 5, Failed: 1}
	must(t, f.Adopt(of(1), other))
	if known, err := f.Recall(of(1)); err != nil || !known.RefreshPending {
		t.Errorf("refresh pending %v, want one (%v)", known.RefreshPending, err)
	}
}

// Who stands by for a job owes no poll of it, unless he holds events of it, or the stream tells less than it shows. What
// ended a moment ago gets its final poll, and what ended long ago is polled by nobody.
func TestStandingBy(t *testing.T) {
	for _, row := range []struct {
		name    string
		held    bool // an event
		why     Why  // before
		state   job.Text
		ago     time.Duration
		edit    func(*event.Fold)
		pending bool
		want    Why
	}{
		{name: "a job that runs", state: "Running", want: Refresh},
		{name: "one that was ours", why: Discovered, state: "Running", want: Discovered},
		{name: "with an event held", held: true, why: ByHand, state: "Running", pending: true, want: ByHand},
		{name: "held, and ended for others", held: true, why: Discovered, state: "Completed", pending: true, want: Discovered},
		{name: "ended just now", why: Discovered, state: "Completed", want: FinalPoll},
		{name: "ended just now, never ours", state: "Completed", want: FinalPoll},
		{name: "ended long ago", why: ByHand, state: "Completed", ago: time.Hour, want: ""},
		{name: "failed, and its failure not told", why: Discovered, state: "Failed", ago: time.Hour, pending: true, want: Discovered},
		{name: "failed, and told", why: Discovered, state: "Failed", ago: time.Hour, edit: func(f *event.Fold) { f.Told.FailureState = true }, want: ""},
		{name: "lost", why: Discovered, state: "Running", edit: func(f *event.Fold) { f.Told.Lost = true }, want: ""},
		{name: "untracked", why: Untracked, state: "Running", want: Untracked},
		{name: "configured", why: Configured, state: "Completed", ago: time.Hour, want: Configured},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := newStore(t)
			if row.why != "" {
				f.sees(t, of(1), "Running", "")
				f.sent(t, of(1), 10)
				must(t, f.Mark(of(1), row.why))
			}
			if row.held {
				f.sees(t, of(1), "Pending", "")
			}
			other := toldByAnother(t, of(1), row.state)
			other.Last.Time = time.Now().Add(-row.ago)
			if row.edit != nil {
				row.edit(&other)
			}
			must(t, f.StandBy(of(1), other))
			l, _, err := f.Show(of(1))
			must(t, err)
			if l.RefreshPending != row.pending || l.Why != row.want {
				t.Errorf("refresh pending %v, tracked as %q; want %v, %q", l.RefreshPending, l.Why, row.pending, row.want)
			}
			held, err := f.Held("prod")
			must(t, err)
			if (len(held) > 0) != row.held {
				t.Errorf("held are %v", held)
			}
			if !row.held && l.Snapshot.State != row.state {
				t.Errorf("the snapshot is of %q, and what was told later of %q", l.Snapshot.State, row.state)
			}
		})
	}
}

// Who polls a CommCell, and learns of a job that has just ended from the stream alone, polls it once more in time: it may
// be that of a watcher that died in between.
func TestAnAdoptedJobThatHasJustEndedGetsItsFinalPoll(t *testing.T) {
	f := newStore(t)
	for number, ago := range map[int64]time.Duration{1: ClosingIn - time.Minute, 2: ClosingIn + time.Minute} {
		other := toldByAnother(t, of(number), "Completed")
		other.Last.Time = time.Now().Add(-ago)
		must(t, f.Adopt(of(number), other))
	}
	f.tracks(t, Tracked{1, FinalPoll})
}

func TestEndFinalPolls(t *testing.T) {
	f := newStore(t)
	for number, ago := range map[int64]time.Duration{1: time.Minute, 2: 9 * time.Minute} {
		other := toldByAnother(t, of(number), "Completed")
		other.Last.Time = time.Now().Add(-ago)
		must(t, f.StandBy(of(number), other))
	}
	must(t, f.Track(Discovered, of(3)))
	before := f.Version()
	must(t, f.EndFinalPolls("pro", time.Now(), false))
	must(t, f.EndFinalPolls("prod", time.Now().Add(-time.Hour), false))
	if f.Version() != before {
		t.Error("written for nothing")
	}
	must(t, f.EndFinalPolls("prod", time.Now().Add(-5*time.Minute), false))
	f.tracks(t, Tracked{1, FinalPoll}, Tracked{3, Discovered})
}
