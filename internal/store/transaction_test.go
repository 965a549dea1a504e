package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"jobwatch/internal/failpoint"
)

// together runs writes in one transaction, in their order.
func (f *fixture) together(writes ...func()) {
	begun, held := make(chan struct{}), make(chan struct{})
	first := true
	f.at(failpoint.BeforeTransaction, func() error {
		if first {
			first = false
			close(begun)
			<-held
		}
		return nil
	})
	var all sync.WaitGroup
	for i, write := range writes {
		all.Go(write)
		if i == 0 {
			<-begun
		}
		for waits := 0; waits <= i; {
			f.commits.mu.Lock()
			waits = len(f.commits.waiting)
			f.commits.mu.Unlock()
		}
	}
	close(held)
	all.Wait()
	f.at(failpoint.BeforeTransaction, nil)
}

// spoil overwrites an unsent event in the file.
func (f *fixture) spoil(t *testing.T, number int64, sequence uint64) {
	t.Helper()
	must(t, f.write(func(tx *bbolt.Tx) error {
		return tx.Bucket(outboxBucket).Put(outboxKey(of(number), sequence), []byte("{spoilt}"))
	}))
}

// In TestAWriteThatFailsHalfWayChangesNothing a damaged row stops a write that has moved another already, in a
// transaction with others that succeed.
func TestAWriteThatFailsHalfWayChangesNothing(t *testing.T) {
	f := newStore(t)
	must(t, f.Commit(f.poll(t, lived(of(71), "Failed", 20, 30))))
	must(t, f.Commit(f.poll(t, lived(of(71), "Killed", 20, 30))))
	f.spoil(t, 71, 2)
	before := f.content(t)
	commits := 0
	f.at(failpoint.BeforeCommit, func() error {
		commits++
		return nil
	})
	f.together(
		func() { must(t, f.Track(Discovered, of(72))) },
		func() {
			if renumbered, err := f.Renumber(of(71), earlier(t, lived(of(71), "Completed", 0, 10))); renumbered || err == nil {
				t.Errorf("renumbered %v, %v", renumbered, err)
			}
		},
		func() { must(t, f.Track(Discovered, of(73))) },
	)
	if commits != 1 {
		t.Errorf("%d commits, want one", commits)
	}
	f.tracks(t, Tracked{72, Discovered}, Tracked{73, Discovered})
	after := f.content(t)
	for _, number := range []int64{72, 73} {
		delete(after, fmt.Sprintf("%s %q", trackedBucket, jobKey(of(number))))
	}
	if !same(before, after) {
		t.Errorf("what failed has changed something:\n%q\n%q", before, after)
	}
}

// In TestAWriteThatIsDoneAgainCountsOnce others fail behind it, so that it is run twice.
func TestAWriteThatIsDoneAgainCountsOnce(t *testing.T) {
	fails := func(f *fixture) {
		if err := f.Expect(of(999), 1); !errors.Is(err, errUnknown) {
			t.Error(err)
		}
	}
	t.Run("Requeue", func(t *testing.T) {
		f := retaining(t)
		f.sent(t, of(71), 5)
		f.sent(t, of(72), 6)
		f.together(func() {
			if count, err := f.Requeue(all); count != 2 || err != nil {
				t.Errorf("%d requeued (%v)", count, err)
			}
		}, func() { fails(f) })
		f.retainsEvents(t)
		f.holds(t, "prod/71#1 state.running", "prod/71#2 phase.scan", "prod/72#1 state.running")
	})
	t.Run("Forget", func(t *testing.T) {
		f := newStore(t)
		must(t, f.Commit(f.poll(t, observed(of(71), "Completed", ""))))
		f.sent(t, of(71), 5)
		f.together(func() {
			if count, err := f.Forget("prod", at.Add(time.Hour)); count != 1 || err != nil {
				t.Errorf("%d forgotten (%v)", count, err)
			}
		}, func() { fails(f) })
	})
}

func TestAnAdoptionThatFailsLeavesNoRefreshPending(t *testing.T) {
	f := newStore(t)
	f.sees(t, of(71), "Running", "")
	f.failAt(failpoint.BeforeCommit)
	if err := f.Adopt(of(71), toldByAnother(t, of(71), "Suspended")); !errors.Is(err, errFault) || f.RefreshPending(of(71)) {
		t.Errorf("a refresh is pending: %v (%v)", f.RefreshPending(of(71)), err)
	}
	must(t, f.Adopt(of(71), toldByAnother(t, of(71), "Suspended")))
	result := f.poll(t, observed(of(71), "Running", ""))
	f.failAt(failpoint.BeforeCommit)
	if err := f.Commit(result); !errors.Is(err, errFault) || !f.RefreshPending(of(71)) {
		t.Errorf("a refresh is pending: %v (%v)", f.RefreshPending(of(71)), err)
	}
}

// TestWhatTouchesTheOpenFileIsGuarded looks through the sources for what goes to bbolt past view and write.
func TestWhatTouchesTheOpenFileIsGuarded(t *testing.T) {
	allowed := map[string]int{
		"transaction.go": 2, "open.go": 2, // before anybody uses the store
		"seam.go": 1,
	}
	files, err := filepath.Glob("*.go")
	must(t, err)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		must(t, err)
		direct := 0
		for _, call := range []string{"s.db.View(", "s.db.Update(", "s.db.Begin(", "s.db.Batch("} {
			direct += strings.Count(string(text), call)
		}
		if direct != allowed[file] {
			t.Errorf("%s goes to the file %d times, want %d: a file that somebody overwrites would end the process with a stack", file, direct, allowed[file])
		}
	}
}

// TestAFileIsAtTheTransactionThatWasWrittenLast puts it where a write that failed may have left it, and elsewhere.
func TestAFileIsAtTheTransactionThatWasWrittenLast(t *testing.T) {
	for _, row := range []struct {
		ahead int64 // of what is known to be written
		fits  bool
	}{{0, true}, {1, true}, {2, false}, {-1, false}} {
		for name, touch := range map[string]func(*fixture) error{
			"read":  func(f *fixture) error { _, err := f.Recall(of(71)); return err },
			"write": func(f *fixture) error { return f.SetGUID("prod", "a") }, // and reads nothing
		} {
			f := newStore(t)
			f.sees(t, of(71), "Running", "")
			f.committed.Add(-row.ahead)
			told := 0
			f.Broken = func(error) { told++ }
			err := touch(f)
			if fits := err == nil && told == 0; fits != row.fits || !fits && (!errors.Is(err, errOverwritten) || told != 1) {
				t.Errorf("%s, %d ahead: %v, told %d times", name, row.ahead, err, told)
			}
		}
	}
}

// TestAPanicSaysWhere has ours be told from that of a damaged file.
func TestAPanicSaysWhere(t *testing.T) {
	broken := func(*bbolt.Tx) error {
		var none []byte
		_ = none[len(none)]
		return nil
	}
	for name, do := range map[string]func(*fixture) error{
		"read":  func(f *fixture) error { return f.view(broken) },
		"write": func(f *fixture) error { return f.update(broken) },
	} {
		err := do(newStore(t))
		if !errors.Is(err, errOverwritten) || !strings.Contains(err.Error(), "index out of range") || !strings.Contains(err.Error(), "store.TestAPanicSaysWhere.func1, line ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
