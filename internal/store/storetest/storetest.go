// Package storetest breaks stores, looks into them and crashes them, for tests and simulations.
package storetest

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"sync"

	"go.etcd.io/bbolt"

	"jobwatch/internal/event"
	"jobwatch/internal/failpoint"
	"jobwatch/internal/job"
	"jobwatch/internal/store"
	"jobwatch/internal/store/internal/seam"
)

var hooks sync.Map // *store.Store => func(failpoint.Point) error

// Hook has f called at each moment of a store's transactions, which fail with its error: before the commit that nothing
// happened, after it that everything did, and nobody heard of it. nil: no more.
func Hook(s *store.Store, f func(failpoint.Point) error) {
	if f == nil {
		hooks.Delete(s)
		return
	}
	hooks.Store(s, f)
	failpoint.Hook.Store(&dispatch)
}

var dispatch = func(p failpoint.Point, of any) error {
	f, hooked := hooks.Load(of)
	if !hooked {
		return nil
	}
	return f.(func(failpoint.Point) error)(p)
}

// NoSync has no transaction wait for the disk. It is for simulations, which crash the program and never the machine:
// there a file that was written is there, and a disk's speed would set theirs.
func NoSync(s *store.Store) {
	db := seam.Of(s).DB
	db.NoSync, db.NoFreelistSync = true, true
}

// Waiting says how many writes wait for the next transaction.
func Waiting(s *store.Store) int { return seam.Of(s).Waiting() }

// Revision says how often what was told of a job has changed.
func Revision(s *store.Store, id job.ID) uint64 {
	var record struct {
		Revision uint64 `json:"rev"`
	}
	key := binary.BigEndian.AppendUint64([]byte(id.CommCell+"/"), uint64(id.Number))
	_ = seam.Of(s).DB.View(func(tx *bbolt.Tx) error {
		line, _, _ := bytes.Cut(tx.Bucket([]byte("jobs")).Get(key), []byte("\n"))
		return json.Unmarshal(line, &record)
	})
	return record.Revision
}

// Unsent is the oldest event of a job that the broker has not acknowledged.
type Unsent struct {
	Event  event.Event
	Row    []byte // the event as it is published
	Expect uint64 // as Due has it
}

// Oldest is the first of what is due, read; false if there is none.
func Oldest(s *store.Store, id job.ID) (Unsent, bool, error) {
	due, err := s.Due(id)
	if err != nil || len(due.Rows) == 0 {
		return Unsent{}, false, err
	}
	e, err := event.Parse(due.Rows[0].Event)
	return Unsent{e, due.Rows[0].Event, due.Expect}, err == nil, err
}

// Each shows all that the file holds. show may not keep what it is shown.
func Each(s *store.Store, show func(bucket, key, value []byte)) error {
	return seam.Of(s).DB.View(func(tx *bbolt.Tx) error {
		return tx.ForEach(func(name []byte, bucket *bbolt.Bucket) error {
			return bucket.ForEach(func(key, value []byte) error {
				show(name, key, value)
				return nil
			})
		})
	})
}

// Content is all that a store's file held at a time. The zero Content is that of a file in which nothing has happened.
type Content struct{ buckets []content }

type content struct {
	name  []byte
	order uint64 // its NextSequence
	pairs [][2][]byte
}

// Copy copies all that the file holds.
func Copy(s *store.Store) (all Content, err error) {
	err = seam.Of(s).DB.View(func(tx *bbolt.Tx) error {
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

// Restore gives the store of a file that holds this, in place of this one's: an older copy that was put back, or a new one.
func Restore(s *store.Store, all Content, mint *event.Minter) (*store.Store, error) {
	err := seam.Of(s).DB.Update(func(tx *bbolt.Tx) error {
		var names [][]byte
		err := tx.ForEach(func(name []byte, _ *bbolt.Bucket) error {
			names = append(names, bytes.Clone(name))
			return nil
		})
		if err != nil {
			return err
		}
		for _, name := range names {
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
	if err != nil {
		return nil, err
	}
	return Reopen(s, mint)
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

// Reopen gives the store as a process finds it that opens the file after this one's crash: what was in memory is gone.
// It is for simulations, whose lives are short: to close the file and open it would cost more than all else in them.
func Reopen(s *store.Store, mint *event.Minter) (*store.Store, error) {
	next, err := seam.Of(s).Reopen(mint)
	if err != nil {
		return nil, err
	}
	return next.(*store.Store), nil
}
