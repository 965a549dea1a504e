package store

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"jobwatch/internal/event"
)

// fill sees and sends some, so that all tables hold something.
func (f *fixture) fill(t *testing.T) {
	t.Helper()
	for number := range int64(40) {
		f.sees(t, of(number+1), "Running", "Scan")
		must(t, f.Track(Discovered, of(number+1)))
	}
	for number := range int64(5) {
		f.sent(t, of(number+1), uint64(number+1))
	}
	must(t, f.SetCursor(Cursor{Stream: "JOBS", Sequence: 5}))
}

// A copy made while jobs change opens as a store, and holds a moment of the one that it was made of.
func TestBackup(t *testing.T) {
	f := newStore(t)
	f.fill(t)
	before := f.content(t)
	copied := filepath.Join(t.TempDir(), "copy.db")
	size, err := f.Backup(t.Context(), copied)
	must(t, err)
	f.sees(t, of(1), "Completed", "")
	if same(before, f.content(t)) {
		t.Error("the store does not go on")
	}
	info, err := os.Stat(copied)
	must(t, err)
	if info.Mode() != 0o600 || info.Size() != size {
		t.Errorf("the copy is %s of %d bytes, want mode 0600 and the %d bytes told", info.Mode(), info.Size(), size)
	}
	s, err := Open(copied, event.NewMinter(nil))
	must(t, err)
	defer s.Close()
	if !same(before, (&fixture{Store: s}).content(t)) {
		t.Error("the copy holds something else")
	}
}

func TestBackupWhileJobsChange(t *testing.T) {
	f := newStore(t)
	f.fill(t)
	changed := make(chan error)
	go func() {
		for number := range int64(40) {
			if err := f.Track(ByHand, of(1000+number)); err != nil {
				changed <- err
				return
			}
		}
		changed <- nil
	}()
	for i := range 5 {
		copied := filepath.Join(t.TempDir(), "copy.db")
		_, err := f.Backup(t.Context(), copied)
		must(t, err)
		s, err := Open(copied, event.NewMinter(nil))
		must(t, err)
		if s.Unsent() != 75 {
			t.Errorf("copy %d holds %d unsent events, want 75", i, s.Unsent())
		}
		must(t, s.Close())
	}
	must(t, <-changed)
}

func TestBackupIsRefused(t *testing.T) {
	ended, end := context.WithCancel(t.Context())
	end()
	for words, row := range map[string]struct {
		name, want string
		ctx        context.Context
	}{
		"an existing file":     {"there.db", "exists", t.Context()},
		"a link that dangles":  {"link.db", "exists", t.Context()},
		"a folder of no name":  {"none/copy.db", "no such file or directory; name a file where the watcher may write", t.Context()},
		"nobody waits for it ": {"copy.db", "no copy is made: context canceled", ended},
	} {
		t.Run(words, func(t *testing.T) {
			f := newStore(t)
			f.fill(t)
			dir := t.TempDir()
			must(t, os.WriteFile(filepath.Join(dir, "there.db"), []byte("mine"), 0o600))
			must(t, os.Symlink("nowhere", filepath.Join(dir, "link.db")))
			_, err := f.Backup(row.ctx, filepath.Join(dir, row.name))
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("the error is %v, want %q in it", err, row.want)
			}
			left, err := fs.Glob(os.DirFS(dir), "*")
			must(t, err)
			if strings.Join(left, " ") != "link.db there.db" {
				t.Errorf("left are %q", left)
			}
			if text, err := os.ReadFile(filepath.Join(dir, "there.db")); err != nil || string(text) != "mine" {
				t.Errorf("the file that was there holds %q now (%v)", text, err)
			}
		})
	}
}
