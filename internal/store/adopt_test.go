package store

import (
	"errors"
	"testing"
	"time"

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
