package store

import (
	"errors"
	"testing"
	"time"

	"jobwatch/internal/event"
)

// missed stores a run of misses of a job.
func (f *fixture) missed(t *testing.T, number int64, count int) {
	t.Helper()
	known, err := f.Recall(of(number))
	must(t, err)
	must(t, f.Miss(of(number), known, Misses{count, at}))
}

func (f *fixture) hasMissed(t *testing.T, what string, number int64, want Misses) {
	t.Helper()
	known, err := f.Recall(of(number))
	if must(t, err); known.Misses != want {
		t.Errorf("%s: missed %v, want %v", what, known.Misses, want)
	}
}

func TestMissesAreKept(t *testing.T) {
	f := newStore(t)
	f.sees(t, of(71), "Running", "Scan")
	f.missed(t, 71, 2)
	f.missed(t, 72, 1)
	f.hasMissed(t, "at once", 71, Misses{2, at})
	f.reopen(t)
	f.hasMissed(t, "after a crash", 71, Misses{2, at})
	f.hasMissed(t, "never seen", 72, Misses{1, at})
	if _, found, err := f.Snapshot(of(72)); found || err != nil {
		t.Errorf("never seen, but there is a snapshot (%v)", err)
	}
	f.sent(t, of(71), 1)
	f.hasMissed(t, "after an acknowledgement", 71, Misses{2, at})
	if snapshot, _, err := f.Snapshot(of(71)); err != nil || snapshot.Phase != "Scan" {
		t.Errorf("the snapshot is %+v (%v)", snapshot, err)
	}
	f.sees(t, of(72), "Running", "")
	f.holds(t, "prod/71#2 phase.scan", "prod/72#1 state.running")
}

func TestWhatEndsARowOfMisses(t *testing.T) {
	for what, end := range map[string]func(*fixture, *testing.T){
		"a poll":            func(f *fixture, t *testing.T) { f.sees(t, of(71), "Running", "Scan") },
		"a miss of none":    func(f *fixture, t *testing.T) { f.missedNone(t) },
		"no poll any more":  func(f *fixture, t *testing.T) { must(t, f.Untrack(of(71))) },
		"a loss that is it": func(f *fixture, t *testing.T) { f.lose(t, true) },
		"a foreign writer":  func(f *fixture, t *testing.T) { must(t, f.Adopt(of(71), event.Fold{})) },
	} {
		f := newStore(t)
		must(t, f.Track(Discovered, of(71)))
		f.sees(t, of(71), "Running", "Scan")
		f.missed(t, 71, 2)
		end(f, t)
		f.reopen(t)
		f.hasMissed(t, what, 71, Misses{})
	}
	f := newStore(t)
	f.sees(t, of(71), "Running", "Scan")
	f.missed(t, 71, 2)
	f.lose(t, false)
	f.hasMissed(t, "a miss that is polled further", 71, Misses{2, at})
}

func (f *fixture) missedNone(t *testing.T) {
	known, err := f.Recall(of(71))
	must(t, err)
	must(t, f.Miss(of(71), known, Misses{}))
}

func (f *fixture) lose(t *testing.T, leave bool) {
	result := f.poll(t, observed(of(71), "Running", "Scan"))
	result.Missed, result.Untrack = true, leave
	must(t, f.Commit(result))
}

func TestAMissOfWhatHasChangedIsNone(t *testing.T) {
	f := newStore(t)
	f.sees(t, of(71), "Running", "Scan")
	known, err := f.Recall(of(71))
	must(t, err)
	f.sees(t, of(71), "Running", "Backup")
	if err := f.Miss(of(71), known, Misses{1, at.Add(time.Minute)}); !errors.Is(err, ErrChanged) {
		t.Errorf("got %v", err)
	}
	f.hasMissed(t, "seen meanwhile", 71, Misses{})
}
