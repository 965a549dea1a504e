//go:build linux || darwin

// Windows replaces no open file, and FreeBSD counts in other numbers.

package store

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"go.etcd.io/bbolt"

	"jobwatch/internal/event"
	"jobwatch/internal/testing/slow"
)

// bloated is a closed store of some 16 MiB that has held much, and holds 2 MiB.
func bloated(t *testing.T) (f *fixture, before map[string]string) {
	t.Helper()
	f = newStore(t)
	f.fill(t)
	f.ballast(t, 1200, (*bbolt.Bucket).Put)
	f.ballast(t, 1000, func(b *bbolt.Bucket, key, _ []byte) error { return b.Delete(key) })
	before = f.content(t)
	must(t, f.Close())
	return f, before
}

// ballast does something with so many values of 8 kB, in a table that nobody reads.
func (f *fixture) ballast(t *testing.T, values int, do func(b *bbolt.Bucket, key, value []byte) error) {
	t.Helper()
	must(t, f.write(func(tx *bbolt.Tx) error {
		table, err := tx.CreateBucketIfNotExists([]byte("ballast"))
		must(t, err)
		for number := range values {
			must(t, do(table, []byte{byte(number >> 8), byte(number)}, bytes.Repeat([]byte{7}, 8<<10)))
		}
		return nil
	}))
}

// openCompacted is OpenCompacted for files of more than 1 MiB. It returns what is logged.
func (f *fixture) openCompacted(t *testing.T, ctx context.Context) (logged string) {
	t.Helper()
	var text bytes.Buffer
	c := compaction{path: f.path, from: 1 << 20, log: slog.New(slog.NewTextHandler(&text, nil))}
	s, err := open(f.path, event.NewMinter(nil), func(db *bbolt.DB) (*bbolt.DB, error) { return c.run(ctx, db) })
	if err != nil {
		t.Fatal(err)
	}
	f.Store = s
	return text.String()
}

func TestMostlyFreeStoreIsCompacted(t *testing.T) {
	slow.Test(t, "1 s", "a file must be large before it is compacted")
	f, before := bloated(t)
	must(t, os.Chmod(f.path, 0o640))
	old := t.TempDir() + "/old.db"
	must(t, os.Link(f.path, old))
	logged := f.openCompacted(t, t.Context())
	if !strings.Contains(logged, "which was mostly free: 16 MiB, now ") || strings.Count(logged, "\n") != 1 {
		t.Errorf("logged is %q", logged)
	}
	if size(f.path) > 4<<20 {
		t.Errorf("the file has %d bytes", size(f.path))
	}
	if !same(before, f.content(t)) {
		t.Error("it holds something else")
	}
	if info, err := os.Stat(f.path); err != nil || info.Mode() != 0o640 {
		t.Errorf("its mode is %v (%v)", info.Mode(), err)
	}
	if s, err := Open(f.path, event.NewMinter(nil)); err == nil {
		s.Close()
		t.Error("another opens it too")
	}
	if handles(t, old) > 0 {
		t.Error("the old file is still open")
	}
	f.verifies(t, 40, 75)
	f.sees(t, of(1), "Completed", "")
	f.reopen(t)
	f.verifies(t, 40, 76)
	f.leaves(t, "watcher.db")
}

// leaves checks what lies in the store's folder.
func (f *fixture) leaves(t *testing.T, want string) {
	t.Helper()
	entries, err := os.ReadDir(strings.TrimSuffix(f.path, "watcher.db"))
	must(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if got := strings.Join(names, " "); got != want {
		t.Errorf("left are %s, want %s", got, want)
	}
}

func TestCompactedBehindALink(t *testing.T) {
	f, before := bloated(t)
	file := f.path
	f.path = t.TempDir() + "/watcher.db"
	must(t, os.Symlink(file, f.path))
	f.openCompacted(t, t.Context())
	if info, err := os.Lstat(f.path); err != nil || info.Mode()&os.ModeSymlink == 0 || size(file) > 4<<20 {
		t.Errorf("the link is %v (%v), the file has %d bytes", info.Mode(), err, size(file))
	}
	if !same(before, f.content(t)) {
		t.Error("it holds something else")
	}
}

// A store that cannot be copied is used as it is.
func TestCompactionThatFails(t *testing.T) {
	for words, row := range map[string]struct {
		fail   func(t *testing.T, f *fixture) context.Context
		logged string
		left   string
	}{
		"a full disk": {
			func(t *testing.T, _ *fixture) context.Context { filesUpTo(t, 1<<20); return t.Context() },
			"mostly free, and not compacted; going on with it as it is", "watcher.db"},
		"something in the way": {
			func(t *testing.T, f *fixture) context.Context {
				must(t, os.MkdirAll(f.path+".compact/folder", 0o700))
				return t.Context()
			},
			`not compacted; going on with it as it is" err="file exists"`, "watcher.db watcher.db.compact"},
		"a watcher that is stopped": {
			func(t *testing.T, _ *fixture) context.Context {
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				return ctx
			},
			"", "watcher.db"},
	} {
		t.Run(words, func(t *testing.T) {
			f, before := bloated(t)
			held, err := os.ReadFile(f.path)
			must(t, err)
			logged := f.openCompacted(t, row.fail(t, f))
			if !strings.Contains(logged, row.logged) || row.logged == "" && logged != "" {
				t.Errorf("logged is %q, want %q", logged, row.logged)
			}
			if now, err := os.ReadFile(f.path); err != nil || !bytes.Equal(held, now) || !same(before, f.content(t)) {
				t.Errorf("the file is another (%v)", err)
			}
			f.leaves(t, row.left)
			f.verifiesPages(t)
		})
	}
}

// filesUpTo has the disk be full as soon as a file is larger.
func filesUpTo(t *testing.T, bytes uint64) {
	t.Helper()
	var before syscall.Rlimit
	must(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before))
	signal.Ignore(syscall.SIGXFSZ)
	limit := before
	limit.Cur = bytes
	must(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit))
	t.Cleanup(func() {
		must(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before))
		signal.Reset(syscall.SIGXFSZ)
	})
}

func (f *fixture) verifiesPages(t *testing.T) {
	t.Helper()
	must(t, f.db.View(func(tx *bbolt.Tx) error { return checkPages(f.path, tx) }))
}

// A start that was killed leaves a copy, of which nobody knows whether it is whole; the old file is, and counts.
func TestUnfinishedCopyIsRemoved(t *testing.T) {
	slow.Test(t, "2 s", "a file must be large before it is compacted, and is three times")
	old := storeFile(t, func(f *fixture) { f.sees(t, of(99), "Running", "Scan") })
	for words, left := range map[string][]byte{"empty": nil, "begun": old[:len(old)/2], "whole": old} {
		t.Run(words, func(t *testing.T) {
			f, before := bloated(t)
			must(t, os.WriteFile(f.path+".compact", left, 0o600))
			logged := f.openCompacted(t, t.Context())
			if !strings.Contains(logged, "an unfinished copy of the store") || !strings.Contains(logged, "compacted ") {
				t.Errorf("logged is %q", logged)
			}
			if !same(before, f.content(t)) {
				t.Error("it holds something else")
			}
			f.leaves(t, "watcher.db")
		})
	}
	t.Run("beside a store that is small", func(t *testing.T) {
		f := newStore(t)
		must(t, f.Close())
		must(t, os.WriteFile(f.path+".compact", old, 0o600))
		s, err := OpenCompacted(t.Context(), f.path, event.NewMinter(nil), slog.New(slog.DiscardHandler))
		must(t, err)
		f.Store = s
		f.leaves(t, "watcher.db")
	})
	t.Run("not by one who only waits for the store", func(t *testing.T) {
		f := newStore(t)
		must(t, os.WriteFile(f.path+".compact", old, 0o600))
		if s, err := OpenCompacted(t.Context(), f.path, event.NewMinter(nil), slog.New(slog.DiscardHandler)); err == nil {
			s.Close()
			t.Error("it is opened twice")
		}
		f.leaves(t, "watcher.db watcher.db.compact")
	})
}

func TestMostlyFree(t *testing.T) {
	const MiB = 1 << 20
	for _, row := range []struct {
		size, used int64
		want       bool
	}{
		{64 * MiB, 1 * MiB, false},
		{65 * MiB, 1 * MiB, true},
		{100 * MiB, 25 * MiB, false},
		{100 * MiB, 24 * MiB, true},
	} {
		if got := mostlyFree(row.size, row.used, compactFrom); got != row.want {
			t.Errorf("%d of %d bytes used: %t", row.used, row.size, got)
		}
	}
}

// A watcher that waits for a store in whose place another is put gets that one.
func TestOpenedIsTheFileThatHasTheName(t *testing.T) {
	f, fresh := newStore(t), newStore(t)
	fresh.fill(t)
	want := fresh.content(t)
	must(t, fresh.Close())
	held := handles(t, f.path)
	var db *bbolt.DB
	opened := make(chan error)
	go func() {
		var err error
		db, err = openFile(f.path, false)
		opened <- err
	}()
	for handles(t, f.path) == held { // until it waits for the lock
		runtime.Gosched()
	}
	must(t, os.Rename(fresh.path, f.path))
	must(t, f.Close())
	must(t, <-opened)
	defer db.Close()
	if !same(want, (&fixture{Store: &Store{db: db}}).content(t)) {
		t.Error("opened is the file that has no name any more")
	}
}

func TestSetAsideLeavesTheNameTaken(t *testing.T) {
	path := t.TempDir() + "/watcher.db"
	must(t, os.WriteFile(path, []byte("old"), 0o600))
	must(t, setAside(path, path+".old"))
	for _, name := range []string{path, path + ".old"} {
		if data, err := os.ReadFile(name); err != nil || string(data) != "old" {
			t.Errorf("%s: %q (%v)", name, data, err)
		}
	}
}

// handles counts how often this process has a file open.
func handles(t *testing.T, path string) (n int) {
	t.Helper()
	entries, err := os.ReadDir("/dev/fd")
	must(t, err)
	want, err := os.Stat(path)
	must(t, err)
	for _, e := range entries {
		if info, err := os.Stat("/dev/fd/" + e.Name()); err == nil && os.SameFile(info, want) {
			n++
		}
	}
	return n
}
