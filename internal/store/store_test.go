package store

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"jobwatch/internal/event"
	"jobwatch/internal/failpoint"
	"jobwatch/internal/job"
)

func TestSnapshotAndEventsTogetherOrNeither(t *testing.T) {
	f := newStore(t)
	f.sees(t, of(71), "Running", "Scan")
	f.holds(t, "prod/71#1 state.running", "prod/71#2 phase.scan")
	before := f.content(t)

	result := f.poll(t, observed(of(71), "Failed", ""))
	f.failAt(failpoint.BeforeCommit)
	if err := f.Commit(result); !errors.Is(err, errFault) {
		t.Fatalf("Commit says %v, want %v", err, errFault)
	}
	f.reopen(t)
	if !same(before, f.content(t)) {
		t.Error("a transaction that failed has left something")
	}
	f.failAt(failpoint.AfterCommit)
	if err := f.Commit(result); !errors.Is(err, errFault) {
		t.Fatalf("Commit says %v, want %v", err, errFault)
	}
	f.reopen(t)
	f.holds(t, "prod/71#1 state.running", "prod/71#2 phase.scan", "prod/71#3 state.failed", "prod/71#4 failure.state")
	if again := f.poll(t, observed(of(71), "Failed", "")); len(again.Changes) != 0 {
		t.Errorf("still to tell: %v", again.Changes)
	}
	if err := f.Commit(result); !errors.Is(err, ErrChanged) {
		t.Errorf("the same result once more: %v, want ErrChanged", err)
	}
}

func TestObservationsThatArriveTogetherShareACommit(t *testing.T) {
	f := newStore(t)
	results := make([]PollResult, 101)
	for i := range results {
		results[i] = f.poll(t, observed(of(int64(i+1)), "Running", ""))
	}
	first, held := make(chan struct{}), make(chan struct{})
	commits := 0
	f.at(failpoint.BeforeCommit, func() error {
		commits++
		if commits == 1 {
			close(first)
			<-held
		}
		return nil
	})
	var group sync.WaitGroup
	group.Go(func() { must(t, f.Commit(results[0])) })
	<-first
	for _, result := range results[1:] {
		group.Go(func() { must(t, f.Commit(result)) })
	}
	group.Go(func() { // refuses itself, and spoils nothing
		if err := f.Expect(of(999), 1); err == nil {
			t.Error("a job that is not there expects something")
		}
	})
	for waits := 0; waits < 101; {
		f.commits.mu.Lock()
		waits = len(f.commits.waiting)
		f.commits.mu.Unlock()
	}
	close(held)
	group.Wait()
	if commits != 2 {
		t.Errorf("%d commits, want 2: the first, and one for all that waited for it", commits)
	}
	if got := f.Unsent(); got != 101 {
		t.Errorf("%d events, want 101", got)
	}
}

func TestAcknowledge(t *testing.T) {
	f := newStore(t)
	f.sees(t, of(71), "Running", "Scan")
	first := f.sent(t, of(71), 10)
	f.holds(t, "prod/71#2 phase.scan")
	must(t, f.Acknowledge(of(71), first, 10)) // it came twice
	f.holds(t, "prod/71#2 phase.scan")
	f.failAt(failpoint.AfterCommit)
	oldest, _, err := f.oldest(of(71))
	must(t, err)
	if err := f.Acknowledge(of(71), oldest.Event, 11); !errors.Is(err, errFault) {
		t.Fatal(err)
	}
	f.reopen(t)
	f.holds(t)
	sent, err := f.Acknowledged(of(71))
	must(t, err)
	if want := (Acknowledged{ID: oldest.Event.ID, Sequence: 2, Stream: 11, Known: true}); sent != want {
		t.Errorf("sent %+v, want %+v", sent, want)
	}
	f.sees(t, of(71), "Completed", "")
	f.holds(t, "prod/71#3 state.completed")
}

func TestWakesThePublisher(t *testing.T) {
	f := newStore(t)
	f.sees(t, of(1), "Running", "")
	f.sees(t, of(2), "Running", "")
	<-f.Wake()
	if got := f.TakeFresh(); len(got) != 2 {
		t.Errorf("fresh are %v, want two jobs", got)
	}
	f.reopen(t)
	waiting, err := f.Waiting()
	must(t, err)
	if len(waiting) != 2 || waiting[0] != of(1) || waiting[1] != of(2) {
		t.Errorf("waiting are %v", waiting)
	}
}

// toldByAnother is what a foreign writer has told of a job: a second event, state Suspended or an end.
func toldByAnother(t *testing.T, id job.ID, state job.Text) event.Fold {
	t.Helper()
	o := observed(id, state, "")
	e, err := event.NewMinter(nil).Job(2, job.Change{Kind: job.KindState, Detail: job.Slug(state), From: "Running", To: state}, o, at)
	must(t, err)
	data, err := json.Marshal(e)
	must(t, err)
	var f event.Fold
	f.Add(50, data)
	return f
}

func TestAdoptionHoldsUntilAPollHasAnswered(t *testing.T) {
	for _, point := range []failpoint.Point{failpoint.BeforeCommit, failpoint.AfterCommit} {
		f := newStore(t)
		f.sees(t, of(71), "Running", "")
		f.sent(t, of(71), 10)
		f.sees(t, of(71), "Pending", "")
		f.failAt(point)
		if err := f.Adopt(of(71), toldByAnother(t, of(71), "Suspended")); !errors.Is(err, errFault) {
			t.Fatal(err)
		}
		f.reopen(t)
		f.holds(t, "prod/71#2 state.pending")
		if _, found, _ := f.oldest(of(71)); found == (point == failpoint.AfterCommit) {
			t.Errorf("fault %s: sending goes on %v", point, found)
		}
		must(t, f.Adopt(of(71), toldByAnother(t, of(71), "Suspended")))
		tracked, err := f.Tracked("prod")
		must(t, err)
		if !slices.Equal(tracked, []Tracked{{71, Refresh}}) {
			t.Errorf("tracked %v, want a refresh", tracked)
		}
		result := f.poll(t, observed(of(71), "Killed", ""))
		result.Untrack = true
		must(t, f.Commit(result))
		f.holds(t, "prod/71#3 state.killed", "prod/71#4 failure.state")
		oldest, _, err := f.oldest(of(71))
		must(t, err)
		if data, _ := oldest.Event.Job(); data.Change.From != "Suspended" || oldest.Expect != 50 {
			t.Errorf("from %q behind %d, want Suspended behind 50", data.Change.From, oldest.Expect)
		}
		if tracked, _ := f.Tracked("prod"); len(tracked) != 0 {
			t.Errorf("still tracked: %v", tracked)
		}
	}
}

func TestAdoptionOfAnUnknownJob(t *testing.T) {
	f := newStore(t)
	must(t, f.Adopt(of(1), toldByAnother(t, of(1), "Completed")))
	must(t, f.Adopt(of(2), toldByAnother(t, of(2), "Running")))
	must(t, f.Adopt(of(3), toldByAnother(t, of(3), "Failed"))) // its failure event is missing
	for number, pending := range map[int64]bool{1: false, 2: true, 3: true} {
		if known, err := f.Recall(of(number)); err != nil || known.RefreshPending != pending {
			t.Errorf("job %d: refresh pending %v, want %v (%v)", number, known.RefreshPending, pending, err)
		}
	}
}

func TestTracked(t *testing.T) {
	f := newStore(t)
	must(t, f.Track(Discovered, of(1), of(2), job.ID{CommCell: "prod2", Number: 3}))
	must(t, f.Configure("prod", []int64{2, 5}))
	must(t, f.Track(Discovered, of(5)))
	tracked, err := f.Tracked("prod")
	must(t, err)
	if !slices.Equal(tracked, []Tracked{{1, Discovered}, {2, Configured}, {5, Configured}}) {
		t.Errorf("tracked are %v", tracked)
	}
	must(t, f.Configure("prod", nil))
	if tracked, _ = f.Tracked("prod"); !slices.Equal(tracked, []Tracked{{1, Discovered}, {2, Discovered}, {5, Discovered}}) {
		t.Errorf("no longer configured, and tracked as %v", tracked)
	}
}

func TestForget(t *testing.T) {
	f := newStore(t)
	other := job.ID{CommCell: "prod-x", Number: 1}
	for _, id := range []job.ID{of(1), of(2), of(3), other} {
		f.sees(t, id, "Completed", "")
		if id != of(2) {
			f.sent(t, id, 1)
		}
	}
	f.sees(t, of(4), "Running", "")
	f.sent(t, of(4), 1)
	must(t, f.Track(Discovered, of(3)))
	if n, err := f.Forget("prod", at); n != 0 || err != nil {
		t.Fatalf("forgot %d that are not old (%v)", n, err)
	}
	if n, err := f.Forget("prod", at.Add(time.Hour)); n != 1 || err != nil {
		t.Fatalf("forgot %d, want 1: unsent, tracked, running and another CommCell's stay (%v)", n, err)
	}
	if known, _ := f.Recall(of(1)); known.Terminal {
		t.Error("job 1 is still known")
	}
}

func TestSecondWatcherOnTheFile(t *testing.T) {
	f := newStore(t)
	start := time.Now()
	_, err := Open(f.path, event.NewMinter(nil))
	if err == nil || !strings.Contains(err.Error(), f.path+": in use by another watcher") {
		t.Fatalf("a second watcher gets %v", err)
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestFileMode(t *testing.T) {
	f := newStore(t)
	if info, err := os.Stat(f.path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, want 0600 (%v)", info.Mode(), err)
	}
}

func TestFormats(t *testing.T) {
	f := newStore(t)
	f.sees(t, of(71), "Running", "")
	before := f.content(t)
	migrations = append(migrations, func(tx *bbolt.Tx) error { return tx.Bucket(metaBucket).Put([]byte("new"), []byte("layout")) })
	defer func() { migrations = migrations[:len(migrations)-1] }()
	f.reopen(t)
	after := f.content(t)
	if after[`meta "new"`] != "layout" || after[`meta "format"`] == before[`meta "format"`] {
		t.Errorf("an older file is not brought to the new format: %v", after)
	}
	f.holds(t, "prod/71#1 state.running")
	must(t, f.Close())
	migrations = migrations[:len(migrations)-1]
	refusal := fmt.Sprintf("newer version (format %d, this one knows %d)", len(migrations)+1, len(migrations))
	_, err := Open(f.path, event.NewMinter(nil))
	migrations = append(migrations, func(*bbolt.Tx) error { return nil })
	if err == nil || !strings.Contains(err.Error(), refusal) {
		t.Errorf("a newer format gives %v", err)
	}
	f.open(t)
}

func TestCommCell(t *testing.T) {
	f := newStore(t)
	known, err := f.Recall(prod)
	must(t, err)
	down := []job.Change{{Kind: job.KindCommCell, Detail: job.DetailUnreachable}}
	must(t, f.CommitCommCell(prod, known, down, at, "connection refused"))
	f.holds(t, "prod#1 unreachable")
	f.reopen(t)
	if known, err = f.Recall(prod); err != nil || !known.Told.Unreachable {
		t.Errorf("after a restart: %+v (%v)", known.Told, err)
	}
}

func TestCursor(t *testing.T) {
	f := newStore(t)
	want := Cursor{Stream: "JOBS born today", Sequence: 42, ID: "an id"}
	must(t, f.SetCursor(want))
	f.reopen(t)
	if got, err := f.Cursor(); got != want || err != nil {
		t.Errorf("cursor %+v (%v)", got, err)
	}
	must(t, f.update(func(tx *bbolt.Tx) error { // as a program did that knew no id
		return tx.Bucket(metaBucket).Put(cursorKey, binary.BigEndian.AppendUint64(nil, 43))
	}))
	if got, err := f.Cursor(); got != (Cursor{Stream: "JOBS born today", Sequence: 43}) || err != nil {
		t.Errorf("cursor moved alone: %+v (%v)", got, err)
	}
}

func TestUntracked(t *testing.T) {
	f := newStore(t)
	f.sees(t, of(1), "Running", "")
	f.sent(t, of(1), 10)
	if err := f.Untrack(of(1)); !errors.Is(err, ErrNotTracked) {
		t.Errorf("untracking what is not tracked: %v", err)
	}
	must(t, f.Track(Discovered, of(1)))
	must(t, f.Untrack(of(1)))
	must(t, f.Track(Discovered, of(1)))
	f.reopen(t)
	f.tracks(t)

	must(t, f.Adopt(of(1), toldByAnother(t, of(1), "Suspended")))
	f.tracks(t, Tracked{1, Refresh})
	result := f.poll(t, observed(of(1), "Suspended", ""))
	result.Untrack = true
	must(t, f.Commit(result))
	must(t, f.Track(Discovered, of(1)))
	f.tracks(t)

	if n, err := f.Forget("prod", time.Now().Add(time.Hour)); n != 1 || err != nil {
		t.Errorf("forgot %d, want 1 (%v)", n, err)
	}
	must(t, f.Track(Discovered, of(1)))
	f.tracks(t, Tracked{1, Discovered})
}

func TestTrackedByHand(t *testing.T) {
	f := newStore(t)
	must(t, f.Track(Discovered, of(1)))
	must(t, f.Untrack(of(1)))
	must(t, f.Track(ByHand, of(1)))
	must(t, f.Track(Discovered, of(1)))
	f.tracks(t, Tracked{1, ByHand})
	must(t, f.Configure("prod", []int64{1}))
	must(t, f.Track(ByHand, of(1)))
	f.tracks(t, Tracked{1, Configured})
	must(t, f.Configure("prod", nil))
	result := f.poll(t, observed(of(1), "Completed", ""))
	result.Untrack = true
	must(t, f.Commit(result))
	f.tracks(t)
}
