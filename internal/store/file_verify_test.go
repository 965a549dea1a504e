package store

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"jobwatch/internal/event"
)

func TestVerifyFindsNothing(t *testing.T) {
	f := newStore(t)
	f.verifies(t, 0, 0)
	f.fill(t)
	f.verifies(t, 40, 75)
	f.sees(t, of(1), "Completed", "")
	f.reopen(t)
	f.verifies(t, 40, 76)
	left, err := fs.Glob(os.DirFS(filepath.Dir(f.path)), "*")
	if err != nil || len(left) != 1 {
		t.Errorf("verify leaves %q (%v)", left, err)
	}
}

// What a foreign writer told is ahead of what is held, until a poll has answered.
func TestVerifyAfterAnAdoption(t *testing.T) {
	f := newStore(t)
	f.sees(t, of(7), "Running", "Scan")
	var told event.Fold
	told.Last = event.Event{ID: "another-1", Sequence: "00000000000000000009"}
	must(t, f.Adopt(of(7), told))
	f.verifies(t, 1, 2)
	f.sees(t, of(7), "Failed", "")
	f.verifies(t, 1, int(f.Unsent()))
}

func (f *fixture) verifies(t *testing.T, jobs, unsent int, want ...string) {
	t.Helper()
	v, err := f.Verify(t.Context())
	must(t, err)
	if v.Jobs != jobs || v.Unsent != unsent || len(v.Findings) != len(want) {
		t.Errorf("verified are %d jobs, %d unsent, %q; want %d, %d, %q", v.Jobs, v.Unsent, v.Findings, jobs, unsent, want)
		return
	}
	for i, words := range want {
		if !strings.Contains(v.Findings[i], words) {
			t.Errorf("found is %q, want %q in it", v.Findings[i], words)
		}
	}
}

// damage is one harm to a store in which prod/7 has sent event 1 of 3, and prod/8 is tracked.
type damage struct {
	bucket, key, value []byte // no value: deleted
	unsent             int
	want               []string
}

func TestVerifyFindsDamage(t *testing.T) {
	foreign, sixth := []byte(`{"specversion":"1.0"}`), outboxKey(of(7), 6)
	for words, row := range map[string]damage{
		"no record":           {jobsBucket, jobKey(of(7)), []byte("{"), 2, []string{"prod/7: 2 unsent events of a job that is not known", "prod/7: its record cannot be read"}},
		"no snapshot":         {jobsBucket, jobKey(of(7)), []byte(`{"rev":1,"seq":3,"ack":1}` + "\n{"), 2, []string{"prod/7: its snapshot cannot be read"}},
		"another's snapshot":  {jobsBucket, jobKey(of(7)), []byte(`{"rev":1,"seq":3,"ack":1}` + "\n" + `{"commcell":"prod","id":6}`), 2, []string{"prod/7: its snapshot is of prod/6"}},
		"a job's key":         {jobsBucket, []byte("prod"), []byte("{}"), 2, []string{`jobs holds a key that names no job ("prod")`}},
		"more told than sent": {jobsBucket, jobKey(of(7)), []byte(`{"rev":1,"seq":4,"ack":1}`), 2, []string{"prod/7: its last event is 4, and its last unsent one 3"}},
		"a gap":               {outboxBucket, outboxKey(of(7), 2), nil, 1, []string{"2 events are counted as unsent", "prod/7: its unsent event 1 is followed by 3"}},
		"the last one gone":   {outboxBucket, outboxKey(of(7), 3), nil, 1, []string{"2 events are counted as unsent", "prod/7: its last event is 3, and its last unsent one 2"}},
		"a foreign event":     {outboxBucket, outboxKey(of(7), 2), foreign, 2, []string{"prod/7: its unsent event 2 cannot be read"}},
		"another's event":     {outboxBucket, sixth, []byte(`{"specversion":"1.0","type":"jobwatch.job.x","id":"x","sequence":"5","partitionkey":"prod/7","data":{}}`), 3, []string{"2 events are counted as unsent", "prod/7: its unsent event 3 is followed by 6", "prod/7: its unsent event 6 is prod/7's event 5"}},
		"an event's key":      {outboxBucket, []byte("x"), foreign, 3, []string{"2 events are counted", `outbox holds a key that names no event ("x")`}},
		"a strange reason":    {trackedBucket, jobKey(of(8)), []byte("whim"), 2, []string{`prod/8: tracked for no known reason ("whim")`}},
	} {
		t.Run(words, func(t *testing.T) {
			f := newStore(t)
			f.sees(t, of(7), "Running", "Scan")
			f.sees(t, of(7), "Running", "Backup")
			f.sent(t, of(7), 1)
			must(t, f.Track(ByHand, of(8)))
			f.verifies(t, 1, 2)
			must(t, f.write(func(tx *bbolt.Tx) error {
				if row.value == nil {
					return tx.Bucket(row.bucket).Delete(row.key)
				}
				return tx.Bucket(row.bucket).Put(row.key, row.value)
			}))
			f.verifies(t, 1, row.unsent, row.want...)
		})
	}
}

// Pages that are damaged while the store is open are found, and hit nobody.
func TestVerifyFindsDamagedPages(t *testing.T) {
	f := newStore(t)
	f.fill(t)
	file, err := os.OpenFile(f.path, os.O_RDWR, 0)
	must(t, err)
	defer file.Close()
	info, err := file.Stat()
	must(t, err)
	for _, page := range f.usedPages(t, info.Size()/pageSize) {
		held := make([]byte, pageSize)
		_, err := file.ReadAt(held, page*pageSize)
		must(t, err)
		_, err = file.WriteAt(bytes.Repeat([]byte{0xff}, 16), page*pageSize)
		must(t, err)
		v, err := f.Verify(t.Context())
		if err != nil || len(v.Findings) != 1 || !strings.Contains(v.Findings[0], "the file is damaged; ") {
			t.Errorf("page %d: found are %q (%v)", page, v.Findings, err)
		}
		_, err = file.WriteAt(held, page*pageSize)
		must(t, err)
	}
	f.verifies(t, 40, 75)
}

// usedPages are those that begin something, behind the two that bbolt begins a file with.
func (f *fixture) usedPages(t *testing.T, pages int64) (used []int64) {
	t.Helper()
	must(t, f.db.View(func(tx *bbolt.Tx) error {
		for page := int64(2); page < pages; page++ {
			info, err := tx.Page(int(page))
			if err != nil || info == nil {
				return err
			}
			if info.Type != "free" {
				used = append(used, page)
				page += int64(info.OverflowCount)
			}
		}
		return nil
	}))
	return used
}
