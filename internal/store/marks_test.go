package store

import (
	"maps"
	"testing"
	"time"
)

// What a person has decided at another watcher holds here, of jobs too that this one never heard of.
func TestMarksOfAnotherWatcher(t *testing.T) {
	f := newStore(t)
	f.sees(t, of(1), "Running", "")
	must(t, f.Track(Discovered, of(1), of(3), of(5)))
	for range 2 {
		must(t, f.Mark(of(1), Untracked))
		must(t, f.Mark(of(2), Untracked))
		must(t, f.Mark(of(3), ByHand))
		must(t, f.Mark(of(4), ByHand))
	}
	f.reopen(t)
	must(t, f.Track(Discovered, of(1), of(2), of(3), of(4), of(5))) // as the Job list does
	f.tracks(t, Tracked{3, ByHand}, Tracked{4, ByHand}, Tracked{5, Discovered})
	marks, err := f.Marks("prod")
	must(t, err)
	if want := map[int64]Why{1: Untracked, 2: Untracked, 3: ByHand, 4: ByHand}; !maps.Equal(marks, want) {
		t.Errorf("marks %v, want %v", marks, want)
	}
	if marks, err := f.Marks("pro"); len(marks) > 0 || err != nil {
		t.Errorf("another CommCell has the marks %v (%v)", marks, err)
	}
	must(t, f.Mark(of(2), ByHand))
	f.tracks(t, Tracked{2, ByHand}, Tracked{3, ByHand}, Tracked{4, ByHand}, Tracked{5, Discovered})
}

func TestAMarkThatIsNoNewsIsNotWritten(t *testing.T) {
	f := newStore(t)
	must(t, f.Mark(of(1), Untracked))
	must(t, f.Mark(of(2), ByHand))
	before := f.Version()
	must(t, f.Mark(of(1), Untracked))
	must(t, f.Mark(of(2), ByHand))
	if after := f.Version(); after != before {
		t.Errorf("%d transactions for nothing", after-before)
	}
}

// The Job list may name for days what nobody wants: an untracked job that was never seen is kept as long as one that was.
func TestAnUntrackedJobThatWasNeverSeenIsForgottenInItsTime(t *testing.T) {
	f := newStore(t)
	must(t, f.Mark(of(1), Untracked))
	must(t, f.Track(Discovered, of(2)))
	must(t, f.Untrack(of(2)))
	if n, err := f.Forget("prod", time.Now().Add(-time.Hour)); n != 0 || err != nil {
		t.Errorf("forgot %d (%v)", n, err)
	}
	must(t, f.Track(Discovered, of(1), of(2)))
	f.tracks(t)
	if n, err := f.Forget("prod", time.Now().Add(time.Hour)); n != 2 || err != nil {
		t.Errorf("forgot %d, want 2 (%v)", n, err)
	}
	if marks, err := f.Marks("prod"); len(marks) > 0 || err != nil {
		t.Errorf("marks %v are left (%v)", marks, err)
	}
}

// Nor is one sooner that only the stream has told of, however long ago.
func TestAnUntrackedJobOfAnotherWatcherIsForgottenInItsTime(t *testing.T) {
	f := newStore(t)
	must(t, f.StandBy(of(71), toldByAnother(t, of(71), "Running")))
	must(t, f.Mark(of(71), Untracked))
	if n, err := f.Forget("prod", time.Now().Add(-time.Hour)); n != 0 || err != nil {
		t.Errorf("forgot %d (%v)", n, err)
	}
	must(t, f.Track(Discovered, of(71)))
	f.tracks(t)
}

// A file is the same member after a restart, and another file is another.
func TestID(t *testing.T) {
	f, other := newStore(t), newStore(t)
	id, err := f.ID()
	must(t, err)
	f.reopen(t)
	if again, err := f.ID(); again != id || len(id) < 20 || err != nil {
		t.Errorf("%q, then %q (%v)", id, again, err)
	}
	if another, err := other.ID(); another == id || err != nil {
		t.Errorf("two files are %q (%v)", id, err)
	}
}
