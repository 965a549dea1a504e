package store

import (
	"errors"

	"go.etcd.io/bbolt"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
)

// What stands in this file is for tests and simulations alone.

// Unsynced has no transaction wait for the disk. It is for simulations, which crash the program and never the machine:
// there a file that was written is there, and a disk's pace would set theirs.
func (s *Store) Unsynced() { s.db.NoSync = true }

// Emptied gives the store of a file in which nothing has happened, in place of this one's.
func (s *Store) Emptied(mint *event.Minter) (*Store, error) {
	err := s.db.Update(func(tx *bbolt.Tx) error {
		for _, bucket := range buckets {
			if err := tx.DeleteBucket(bucket); err != nil {
				return err
			}
		}
		return nil
	})
	next := newOn(s.db, mint)
	return next, errors.Join(err, next.migrate(0))
}

// Survivor gives the store as a process finds it that opens the file after this one's crash: what was in memory is gone.
// It is for simulations, whose lives are short: to close the file and open it would cost more than all else in them.
func (s *Store) Survivor(mint *event.Minter) (*Store, error) {
	next := newOn(s.db, mint)
	return next, errors.Join(next.countOutbox(), next.countKept())
}

// Each shows all that the file holds. show may not keep what it is shown.
func (s *Store) Each(show func(bucket, key, value []byte)) error {
	return s.db.View(func(tx *bbolt.Tx) error {
		return tx.ForEach(func(name []byte, bucket *bbolt.Bucket) error {
			return bucket.ForEach(func(key, value []byte) error {
				show(name, key, value)
				return nil
			})
		})
	})
}

// Unsent is the oldest event of a job that the broker has not acknowledged.
type Unsent struct {
	Event  event.Event
	Row    []byte // the event as it is published
	Expect uint64 // as Due has it
}

// Oldest is the first of what is due, read; false if there is none.
func (s *Store) Oldest(id job.ID) (Unsent, bool, error) {
	due, err := s.Due(id)
	if err != nil || len(due.Rows) == 0 {
		return Unsent{}, false, err
	}
	e, err := event.Parse(due.Rows[0].Event)
	if err != nil {
		return Unsent{}, false, s.Illegible(id, err)
	}
	return Unsent{e, due.Rows[0].Event, due.Expect}, true, nil
}
