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
	"jobwatch/internal/testing/slow"
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
		must(t, f.write(func(tx *bbolt.Tx) error { return tx.DeleteBucket(outboxBucket) }))
	})
	refuses(t, data, "damaged")
}

func putFormat(tx *bbolt.Tx, value string) error {
	return tx.Bucket(metaBucket).Put(formatKey, []byte(value))
}

// A store cut short is refused where something is missing.
func TestTruncatedStore(t *testing.T) {
	slow.Test(t, "2 s", "a file is cut off at each of many lengths")
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

// Every page that holds something is missed, and no other.
func TestStoreWithAnOverwrittenPage(t *testing.T) {
	whole := filledStore(t)
	free := freePages(t, whole)
	for page := range len(free) {
		data := bytes.Clone(whole)
		copy(data[page*pageSize:], bytes.Repeat([]byte{0xff}, 16))
		if opens(t, data, "page %d overwritten", page) != free[page] {
			t.Errorf("page %d overwritten: it is free %t, and the store opens %t", page, free[page], !free[page])
		}
	}
	clear(whole[:2*pageSize])
	refuses(t, whole, "; if it was one, put a copy of watcher store backup in its place, or run: watcher store rebuild (")
}

func freePages(t *testing.T, data []byte) map[int]bool {
	t.Helper()
	s, err := Open(placed(t, data), event.NewMinter(nil))
	must(t, err)
	defer s.Close()
	free := map[int]bool{}
	must(t, s.db.View(func(tx *bbolt.Tx) error {
		for page := range int(tx.Size()) / pageSize {
			info, err := tx.Page(page)
			if err != nil {
				return err
			}
			free[page] = info.Type == "free"
		}
		return nil
	}))
	return free
}

func TestStoreWithACorruptValueIsRefused(t *testing.T) {
	record := []byte(`{"rev":1,"seq":2}`)
	for words, row := range map[string]struct {
		table, key, value []byte
		want              string
	}{
		"record":           {jobsBucket, jobKey(of(7)), []byte(`{"rev":1,"seq":2` + "\n{}"), "(what is known of job prod/7 cannot be read)"},
		"snapshot":         {jobsBucket, jobKey(of(7)), append(record, "\n{\"state\":\"\x00\"}"...), "(what is known of job prod/7 cannot be read)"},
		"no record":        {jobsBucket, jobKey(of(7)), nil, "(what is known of job prod/7 cannot be read)"},
		"no job":           {jobsBucket, []byte("prod"), record, `(what is known of job "prod" cannot be read)`},
		"unsent event":     {outboxBucket, outboxKey(of(7), 2), []byte("{\"specversion\":\xff1.0\"}"), "(an unsent event of job prod/7 cannot be read)"},
		"sent event":       {sentBucket, append(make([]byte, 8), outboxKey(of(7), 1)...), append(make([]byte, 16), `{"specversion":`...), "(a sent event of job prod/7 cannot be read)"},
		"sent of no job":   {sentBucket, []byte("12345678x"), record, `(a sent event of job "x" cannot be read)`},
		"unsent of no job": {outboxBucket, []byte("x"), record, `(an unsent event of job "x" cannot be read)`},
	} {
		t.Run(words, func(t *testing.T) {
			data := storeFile(t, func(f *fixture) {
				f.sees(t, of(7), "Running", "Scan")
				must(t, f.write(func(tx *bbolt.Tx) error { return tx.Bucket(row.table).Put(row.key, row.value) }))
			})
			refuses(t, data, row.want)
			refuses(t, data, "the file is damaged; stop the watcher, and put a copy of watcher store backup in its place, or run: watcher store rebuild")
			if left, err := CountUnrecoverable(placed(t, data)); err != nil || left.Unsent < 2 {
				t.Errorf("left in it are %+v (%v)", left, err)
			}
		})
	}
}

// What the check at the start does not find is named when it is met.
func TestCorruptValueThatIsMet(t *testing.T) {
	f := newStore(t)
	f.sees(t, of(7), "Running", "Scan")
	for words, row := range map[string]struct {
		table, key, value []byte
		read              func() error
	}{
		"its record":       {jobsBucket, jobKey(of(7)), []byte(`{"rev":1,seq":2}`), func() error { _, err := f.Recall(of(7)); return err }},
		"its snapshot":     {jobsBucket, jobKey(of(8)), []byte("{}\n{state}"), func() error { _, _, err := f.Snapshot(of(8)); return err }},
		"its unsent event": {outboxBucket, outboxKey(of(9), 1), []byte(`{"specversion" 1.0"}`), func() error { _, _, err := f.oldest(of(9)); return err }},
	} {
		must(t, f.write(func(tx *bbolt.Tx) error { return tx.Bucket(row.table).Put(row.key, row.value) }))
		err := row.read()
		want := words + " in " + f.path + " cannot be read ("
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasSuffix(err.Error(), "; "+fixRebuild) {
			t.Errorf("met with %v, want %s… and what to do", err, want)
		}
	}
}

// filledStore is the bytes of a store whose tables have several pages, and some free ones.
func filledStore(t *testing.T) []byte {
	return storeFile(t, func(f *fixture) {
		for number := range int64(40) {
			f.sees(t, of(number+1), "Running", "Scan")
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
		t.Errorf("%s: the error names no file, or not what to do: %s", words, text)
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
		s.Due(id)
		if err == nil && number%8 == 0 {
			s.Commit(PollResult{Known: known, Seen: observed(id, "Failed", ""), Changes: []job.Change{{Kind: "state", Detail: "failed"}}})
		}
	}
	s.Forget("prod", at)
}
