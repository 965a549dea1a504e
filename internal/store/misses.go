package store

import (
	"time"

	"go.etcd.io/bbolt"

	"jobwatch/internal/job"
)

// Misses is a row of answers that did not know a job. The zero Misses is none.
type Misses struct {
	Count int
	Since time.Time // the first was answered
}

// Miss keeps a row of misses, or its end, until a look is committed: a restart is not to begin it anew. The job
// may never have been seen. It returns ErrChanged when what was told has changed since the job was recalled.
func (s *Store) Miss(id job.ID, known Known, row Misses) error {
	return s.update(func(tx *bbolt.Tx) error {
		r, snapshot, err := readRecord(tx, id)
		if err != nil {
			return err
		}
		if r.Revision != known.revision {
			return ErrChanged
		}
		r.miss(row)
		return writeRecord(tx, id, r, snapshot)
	})
}

func (r *record) miss(row Misses) { r.Misses, r.Missed = row.Count, nanos(row.Since) }

// endMisses has no row of before count where a job is looked at again.
func endMisses(tx *bbolt.Tx, id job.ID) error {
	r, snapshot, err := readRecord(tx, id)
	if err != nil || r.Misses == 0 {
		return err
	}
	r.miss(Misses{})
	return writeRecord(tx, id, r, snapshot)
}
