package store

import (
	"bytes"

	"go.etcd.io/bbolt"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
)

// What stands in this file is for tests and simulations alone.

// Unsynced has no transaction wait for the disk. It is for simulations, which crash the program and never the machine:
// there a file that was written is there, and a disk's pace would set theirs.
func (s *Store) Unsynced() { s.db.NoSync, s.db.NoFreelistSync = true, true }

// Gathered says how many writes wait for the next transaction.
func (s *Store) Gathered() int {
	s.commits.mu.Lock()
	defer s.commits.mu.Unlock()
	return len(s.commits.waiting)
}

// Revision says how often what was told of a job has changed.
func (s *Store) Revision(id job.ID) (revision uint64) {
	_ = s.view(func(tx *bbolt.Tx) error {
		r, _, err := readRecord(tx, id)
		revision = r.Revision
		return err
	})
	return revision
}

// Content is all that a store's file held at a time. The zero Content is that of a file in which nothing has happened.
type Content struct{ buckets []content }

type content struct {
	name  []byte
	order uint64 // its NextSequence
	pairs [][2][]byte
}

// Content copies all that the file holds.
func (s *Store) Content() (all Content, err error) {
	err = s.view(func(tx *bbolt.Tx) error {
		return tx.ForEach(func(name []byte, bucket *bbolt.Bucket) error {
			held := content{name: bytes.Clone(name), order: bucket.Sequence()}
			err := bucket.ForEach(func(key, value []byte) error {
				held.pairs = append(held.pairs, [2][]byte{bytes.Clone(key), bytes.Clone(value)})
				return nil
			})
			all.buckets = append(all.buckets, held)
			return err
		})
	})
	return all, err
}

// Holding gives the store of a file that holds this, in place of this one's: an older copy that was put back, or a new one.
func (s *Store) Holding(all Content, mint *event.Minter) (*Store, error) {
	err := s.db.Update(func(tx *bbolt.Tx) error {
		for _, name := range buckets {
			if err := tx.DeleteBucket(name); err != nil {
				return err
			}
		}
		for _, held := range all.buckets {
			if err := held.putInto(tx); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && len(all.buckets) == 0 {
		err = s.migrate(0)
	}
	if err != nil {
		return nil, err
	}
	return s.Survivor(mint)
}

func (held content) putInto(tx *bbolt.Tx) error {
	bucket, err := tx.CreateBucket(held.name)
	if err != nil {
		return err
	}
	for _, pair := range held.pairs {
		if err := bucket.Put(pair[0], pair[1]); err != nil {
			return err
		}
	}
	return bucket.SetSequence(held.order)
}

// Survivor gives the store as a process finds it that opens the file after this one's crash: what was in memory is gone.
// It is for simulations, whose lives are short: to close the file and open it would cost more than all else in them.
func (s *Store) Survivor(mint *event.Minter) (*Store, error) {
	next := newOn(s.db, mint)
	return next, next.takeStock()
}

// Each shows all that the file holds. show may not keep what it is shown.
func (s *Store) Each(show func(bucket, key, value []byte)) error {
	return s.view(func(tx *bbolt.Tx) error {
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
		return Unsent{}, false, s.Corrupt(id, err)
	}
	return Unsent{e, due.Rows[0].Event, due.Expect}, true, nil
}
