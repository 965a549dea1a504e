package store

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
)

// TestWhatTouchesTheOpenFileIsGuarded looks through the sources for what goes to bbolt past view and write.
func TestWhatTouchesTheOpenFileIsGuarded(t *testing.T) {
	allowed := map[string]int{
		"guard.go": 2, "open.go": 2, // before anybody uses the store
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

// TestAFileIsAtTheTransactionThatWasWrittenLast has it lie where a write that failed may have left it, and elsewhere.
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
			f.see(t, of(71), "Running", "")
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
