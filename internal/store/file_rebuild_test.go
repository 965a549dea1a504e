package store

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"

	"jobwatch/internal/event"
)

func TestReplacing(t *testing.T) {
	t.Run("a store in use is refused", func(t *testing.T) {
		f := newStore(t)
		if _, err := ClaimFile(f.path); err == nil || !strings.Contains(err.Error(), "in use by another watcher (pid ") {
			t.Errorf("the error is %v", err)
		}
	})
	t.Run("nobody opens what is claimed, and what was not replaced is as it was", func(t *testing.T) {
		f := newStore(t)
		f.fill(t)
		before := f.content(t)
		must(t, f.Close())
		claim, err := ClaimFile(f.path)
		must(t, err)
		if s, err := Open(f.path, event.NewMinter(nil)); err == nil {
			s.Close()
			t.Error("it is opened")
		}
		must(t, claim.Release())
		f.open(t)
		if !same(before, f.content(t)) {
			t.Error("it has changed")
		}
	})
	t.Run("where there was none, there is none if none came", func(t *testing.T) {
		path := t.TempDir() + "/new/watcher.db"
		claim, err := ClaimFile(path)
		must(t, err)
		must(t, claim.Release())
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("left is %v", err)
		}
	})
	t.Run("the old one stays, under a name of its own", func(t *testing.T) {
		f, other := newStore(t), newStore(t)
		f.fill(t)
		must(t, f.Untrack(of(3)))
		must(t, f.Track(ByHand, of(99)))
		must(t, f.Close())
		must(t, other.Close())
		claim, err := ClaimFile(f.path)
		must(t, err)
		aside, err := claim.ReplaceBy(other.path)
		must(t, err)
		must(t, claim.Release())
		if left, err := CountUnrecoverable(aside); err != nil || left != (Unrecoverable{Unsent: 75, ByHand: 2}) {
			t.Errorf("left in %s is %+v (%v)", aside, left, err)
		}
		if left, err := CountUnrecoverable(f.path); err != nil || left != (Unrecoverable{}) {
			t.Errorf("in the new one is %+v (%v)", left, err)
		}
	})
}
