package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
)

const pageSize = 4096 // bytes, of the stores that the tests damage

func TestFileThatIsNoStoreIsRefused(t *testing.T) {
	for words, data := range map[string][]byte{
		"one byte":       {0},
		"a text":         []byte("commcells:\n  - name: prod\n"),
		"a long text":    bytes.Repeat([]byte("commcells:\n"), pageSize),
		"zeros":          make([]byte, 4*pageSize),
		"an SQLite file": append([]byte("SQLite format 3\x00"), make([]byte, 4*pageSize)...),
	} {
		t.Run(words, func(t *testing.T) { refuses(t, data, "not a store of jobwatch") })
	}
}

func TestAnotherProgramsFileIsRefused(t *testing.T) {
	for words, write := range map[string]func(*bbolt.Tx) error{
		"a bucket":         func(tx *bbolt.Tx) error { _, err := tx.CreateBucket([]byte("keys")); return err },
		"buckets like it":  func(tx *bbolt.Tx) error { return migrations[0](tx) },
		"a strange format": func(tx *bbolt.Tx) error { return errors.Join(migrations[0](tx), putFormat(tx, "three")) },
	} {
		for _, bare := range []bool{false, true} { // without its list of free pages bbolt would write one
			t.Run(fmt.Sprintf("%s, %t", words, bare), func(t *testing.T) {
				refuses(t, bboltFile(t, &bbolt.Options{NoFreelistSync: bare}, write), "not a store of jobwatch")
			})
		}
	}
}

func TestStoreWithoutABucketIsRefused(t *testing.T) {
	data := storeFile(t, func(f *fixture) {
		must(t, f.db.Update(func(tx *bbolt.Tx) error { return tx.DeleteBucket(outboxBucket) }))
	})
	refuses(t, data, "damaged")
}

func putFormat(tx *bbolt.Tx, value string) error {
	return tx.Bucket(metaBucket).Put(formatKey, []byte(value))
}

// A store cut short is refused where something is missing.
func TestTruncatedStore(t *testing.T) {
	whole := filledStore(t)
	for size := 1; size < len(whole); size += pageSize/2 - 1 {
		opens(t, whole[:size], "cut to %d of %d bytes", size, len(whole))
	}
	for _, size := range []int{pageSize, 2 * pageSize, 3 * pageSize, 4 * pageSize, len(whole) / 2} {
		if opens(t, whole[:size], "cut to %d of %d bytes", size, len(whole)) {
			t.Errorf("cut to %d of %d bytes it is taken for whole", size, len(whole))
		}
	}
}

// filledStore is the bytes of a store whose tables have several pages, and some free ones.
func filledStore(t *testing.T) []byte {
	return storeFile(t, func(f *fixture) {
		for number := range int64(40) {
			f.see(t, of(number+1), "Running", "Scan")
			must(t, f.Track(Discovered, of(number+1)))
		}
		for number := range int64(5) {
			f.sent(t, of(number+1), uint64(number))
		}
	})
}

func storeFile(t *testing.T, fill func(*fixture)) []byte {
	t.Helper()
	f := newStore(t)
	fill(f)
	must(t, f.Close())
	data, err := os.ReadFile(f.path)
	must(t, err)
	return data
}

func bboltFile(t *testing.T, options *bbolt.Options, write func(*bbolt.Tx) error) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "other.db")
	db, err := bbolt.Open(path, 0o600, options)
	must(t, err)
	must(t, db.Update(write))
	must(t, db.Close())
	data, err := os.ReadFile(path)
	must(t, err)
	return data
}

func refuses(t *testing.T, data []byte, want string) {
	t.Helper()
	if opens(t, data, "%s", t.Name()) {
		t.Fatal("it is opened")
	}
	path := placed(t, data)
	_, err := Open(path, event.NewMinter(nil))
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("refused with %v, want %q", err, want)
	}
}

func placed(t *testing.T, data []byte) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "watcher.db")
	must(t, os.WriteFile(path, data, 0o600))
	return path
}

// opens says whether the bytes open as a store, which must then work; else they must be left alone.
func opens(t *testing.T, data []byte, format string, args ...any) bool {
	t.Helper()
	words := fmt.Sprintf(format, args...)
	path := placed(t, data)
	before := time.Now().Add(-time.Hour).Truncate(time.Second)
	must(t, os.Chtimes(path, before, before))
	s, err := Open(path, event.NewMinter(nil))
	if err == nil {
		use(s)
		must(t, s.Close())
		return true
	}
	if text := err.Error(); !strings.HasPrefix(text, path+": ") || strings.Contains(text, "\n") || !strings.Contains(text, "; ") {
		t.Errorf("%s: the error names no file or no mend: %s", words, text)
	}
	after, err := os.ReadFile(path)
	must(t, err)
	info, err := os.Stat(path)
	must(t, err)
	if !bytes.Equal(after, data) || !info.ModTime().Equal(before) {
		t.Errorf("%s: the store is refused and changed", words)
	}
	return false
}

// use does with a store all that may hit a damaged page. Errors are welcome, a crash is not.
func use(s *Store) {
	s.Waiting()
	s.Tracked("prod")
	s.Cursor()
	for number := range int64(40) {
		id := of(number + 1)
		known, err := s.Recall(id)
		s.Snapshot(id)
		s.Oldest(id)
		if err == nil && number%8 == 0 {
			s.Commit(Look{Known: known, Seen: observed(id, "Failed", ""), Changes: []job.Change{{Kind: "state", Detail: "failed"}}})
		}
	}
	s.Forget("prod", at)
}
