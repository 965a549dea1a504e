package store

import (
	"os"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"jobwatch/internal/event"
)

const manyJobs = 100_000

// BenchmarkOpen opens a store with 100,000 jobs, which checks every page first, and beside it opens the same
// file with bbolt alone and has it checked: `of_bare` is bbolt's time as a share of ours.
func BenchmarkOpen(b *testing.B) {
	path := manyJobsFile(b)
	var took, bare time.Duration
	for b.Loop() {
		start := time.Now()
		s, err := Open(path, event.NewMinter(nil))
		must(b, err)
		took += time.Since(start)
		must(b, s.Close())

		start = time.Now()
		db, err := bbolt.Open(path, 0o600, nil)
		must(b, err)
		must(b, db.View(func(tx *bbolt.Tx) error {
			for err := range tx.Check() {
				b.Error(err)
			}
			return nil
		}))
		bare += time.Since(start)
		must(b, db.Close())
	}
	info, err := os.Stat(path)
	must(b, err)
	b.ReportMetric(took.Seconds()/float64(b.N), "s/open")
	b.ReportMetric(bare.Seconds()/float64(b.N), "bare-s/open")
	b.ReportMetric(bare.Seconds()/took.Seconds(), "of_bare")
	b.ReportMetric(float64(info.Size())/(1<<20), "file-MiB")
}

func manyJobsFile(b *testing.B) string {
	f := newStore(b)
	f.sees(b, of(1), "Running", "Backup")
	value := f.rows(b)[0].value
	for first := int64(1); first < manyJobs; first += 1000 {
		must(b, f.write(func(tx *bbolt.Tx) error {
			for number := first; number < first+1000; number++ {
				if err := tx.Bucket(jobsBucket).Put(jobKey(of(number)), value); err != nil {
					return err
				}
				if err := track(tx, of(number), Discovered); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	must(b, f.Close())
	return f.path
}
