package store

import (
	"bytes"
	"time"

	"go.etcd.io/bbolt"

	"jobwatch/internal/job"
)

// Why says why a job is looked at.
type Why string

// The reasons to look at a job.
const (
	Configured Why = "configured" // by the configuration: for ever
	Discovered Why = "discovered" // by the Job list: until its end is told
	OwedLook   Why = "owed"       // by another watcher that spoke: until a look has answered
)

// Track has the jobs looked at from now on. A reason that lasts longer stays.
func (s *Store) Track(why Why, ids ...job.ID) error {
	if len(ids) == 0 {
		return nil
	}
	return s.update(func(tx *bbolt.Tx) error {
		for _, id := range ids {
			if err := track(tx, id, why); err != nil {
				return err
			}
		}
		return nil
	})
}

func track(tx *bbolt.Tx, id job.ID, why Why) error {
	tracked := tx.Bucket(trackedBucket)
	if before := Why(tracked.Get(jobKey(id))); before == Configured || before == why {
		return nil
	}
	return tracked.Put(jobKey(id), []byte(why))
}

func markOwed(tx *bbolt.Tx, id job.ID) error {
	if tx.Bucket(trackedBucket).Get(jobKey(id)) != nil {
		return nil
	}
	return track(tx, id, OwedLook)
}

// Untrack has the jobs looked at no more.
func (s *Store) Untrack(ids ...job.ID) error {
	if len(ids) == 0 {
		return nil
	}
	return s.update(func(tx *bbolt.Tx) error {
		for _, id := range ids {
			if err := tx.Bucket(trackedBucket).Delete(jobKey(id)); err != nil {
				return err
			}
		}
		return nil
	})
}

// leave takes a job from the tracked set; a configured one stays.
func leave(tx *bbolt.Tx, id job.ID, leaves bool) error {
	tracked := tx.Bucket(trackedBucket)
	if !leaves || Why(tracked.Get(jobKey(id))) == Configured {
		return nil
	}
	return tracked.Delete(jobKey(id))
}

// Tracked lists the jobs of a CommCell that are looked at, in the order of their numbers.
func (s *Store) Tracked(commCell string) (map[job.ID]Why, error) {
	tracked := map[job.ID]Why{}
	err := s.db.View(func(tx *bbolt.Tx) error {
		prefix := []byte(commCell + "/")
		c := tx.Bucket(trackedBucket).Cursor()
		for key, why := c.Seek(prefix); bytes.HasPrefix(key, prefix); key, why = c.Next() {
			tracked[parseKey(key, 0)] = Why(why)
		}
		return nil
	})
	return tracked, err
}

// Forget drops the snapshots of jobs that ended before a time, are not looked at, and owe no event.
func (s *Store) Forget(before time.Time) (forgotten int, err error) {
	var old []job.ID
	err = s.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(jobsBucket).ForEach(func(key, _ []byte) error {
			id := parseKey(key, 0)
			r, _, err := readRecord(tx, id)
			if err == nil && forgettable(tx, id, r, before) {
				old = append(old, id)
			}
			return err
		})
	})
	if err != nil || len(old) == 0 {
		return 0, err
	}
	err = s.update(func(tx *bbolt.Tx) error {
		for _, id := range old {
			r, _, err := readRecord(tx, id)
			if err != nil || !forgettable(tx, id, r, before) {
				continue
			}
			if err := tx.Bucket(jobsBucket).Delete(jobKey(id)); err != nil {
				return err
			}
			forgotten++
		}
		return nil
	})
	return forgotten, err
}

func forgettable(tx *bbolt.Tx, id job.ID, r record, before time.Time) bool {
	return r.Terminal && !r.Owed && r.Sequence == r.Acked && fromNanos(r.Asked).Before(before) &&
		tx.Bucket(trackedBucket).Get(jobKey(id)) == nil
}
