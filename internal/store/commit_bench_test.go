package store

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"
	"golang.org/x/sync/errgroup"

	"jobwatch/internal/job"
)

// BenchmarkCommit commits observations that arrive together, each of which tells a new state, and beside it
// puts the same bytes under the same keys in one raw transaction of another file: `of_bare` is the raw one's time
// as a share of the commits'.
func BenchmarkCommit(b *testing.B) {
	for _, together := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("together=%d", together), func(b *testing.B) { benchmarkCommit(b, together) })
	}
}

func benchmarkCommit(b *testing.B, together int) {
	f, raw := newStore(b), newRaw(b)
	var took, rawTook time.Duration
	states := []job.Text{"Running", "Waiting"}
	for i := 0; b.Loop(); i++ {
		results := make([]PollResult, together)
		for n := range results {
			results[n] = f.poll(b, observed(of(int64(n+1)), states[i%2], ""))
		}
		start := time.Now()
		must(b, commitAll(f.Store, results))
		took += time.Since(start)

		rows := f.rows(b)
		start = time.Now()
		must(b, raw.Update(func(tx *bbolt.Tx) error { return put(tx, rows) }))
		rawTook += time.Since(start)
		must(b, emptyOutbox(f.db))
		must(b, emptyOutbox(raw))
	}
	commits := float64(b.N * together)
	b.ReportMetric(commits/took.Seconds(), "commits/s")
	b.ReportMetric(commits/rawTook.Seconds(), "bare/s")
	b.ReportMetric(rawTook.Seconds()/took.Seconds(), "of_bare")
}

func commitAll(s *Store, results []PollResult) error {
	var group errgroup.Group
	for _, result := range results {
		group.Go(func() error { return s.Commit(result) })
	}
	return group.Wait()
}

// newRaw is a bbolt file with our buckets and options.
func newRaw(b *testing.B) *bbolt.DB {
	db, err := openFile(filepath.Join(b.TempDir(), "raw.db"), false)
	must(b, err)
	b.Cleanup(func() { db.Close() })
	must(b, db.Update(migrations[0]))
	return db
}

// row is a key and its value.
type row struct{ bucket, key, value []byte }

// rows are all snapshots and events that the store holds: what a commit of all jobs has put.
func (f *fixture) rows(b *testing.B) []row {
	var rows []row
	must(b, f.db.View(func(tx *bbolt.Tx) error {
		for _, bucket := range [][]byte{jobsBucket, outboxBucket} {
			err := tx.Bucket(bucket).ForEach(func(key, value []byte) error {
				rows = append(rows, row{bucket, append([]byte(nil), key...), append([]byte(nil), value...)})
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	}))
	return rows
}

func put(tx *bbolt.Tx, rows []row) error {
	for _, r := range rows {
		if err := tx.Bucket(r.bucket).Put(r.key, r.value); err != nil {
			return err
		}
	}
	return nil
}

func emptyOutbox(db *bbolt.DB) error {
	return db.Update(func(tx *bbolt.Tx) error {
		if err := tx.DeleteBucket(outboxBucket); err != nil {
			return err
		}
		_, err := tx.CreateBucket(outboxBucket)
		return err
	})
}
