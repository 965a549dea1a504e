package store

import (
	"bytes"
	"errors"
	"time"

	"go.etcd.io/bbolt"

	"jobwatch/internal/job"
)

// EndFinalPolls gives up the final poll of a CommCell's jobs of which nothing is owed and nothing was told since a time:
// another watcher has made it. adopted: only of those whose end another has told.
func (s *Store) EndFinalPolls(commCell string, before time.Time, adopted bool) error {
	due := func(tx *bbolt.Tx, id job.ID) (bool, error) {
		r, _, err := readRecord(tx, id)
		if Why(tx.Bucket(trackedBucket).Get(jobKey(id))) != FinalPoll || !r.Terminal || r.RefreshPending || adopted && r.LastProgress == 0 {
			return false, err
		}
		return fromNanos(max(r.Asked, r.LastProgress)).Before(before), err // the latter is when an adopted job's last event was made
	}
	var ended []job.ID
	err := s.view(func(tx *bbolt.Tx) error {
		prefix := []byte(commCell + "/")
		c := tx.Bucket(trackedBucket).Cursor()
		for key, why := c.Seek(prefix); bytes.HasPrefix(key, prefix); key, why = c.Next() {
			if Why(why) != FinalPoll {
				continue
			}
			id := parseKey(key, 0)
			if is, err := due(tx, id); err != nil {
				return err
			} else if is {
				ended = append(ended, id)
			}
		}
		return nil
	})
	if err != nil || len(ended) == 0 {
		return err
	}
	return s.update(func(tx *bbolt.Tx) error {
		for _, id := range ended {
			is, err := due(tx, id)
			if err == nil && is {
				err = tx.Bucket(trackedBucket).Delete(jobKey(id))
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// Forget drops the snapshots of a CommCell's jobs that ended before a time, or are untracked or lost and
// were last seen before it, are not polled, and have no event unsent or retained.
func (s *Store) Forget(commCell string, before time.Time) (forgotten int, err error) {
	var old []job.ID
	err = s.view(func(tx *bbolt.Tx) error {
		prefix := []byte(commCell + "/")
		c := tx.Bucket(jobsBucket).Cursor()
		for key, _ := c.Seek(prefix); bytes.HasPrefix(key, prefix); key, _ = c.Next() {
			id := parseKey(key, 0)
			r, _, err := readRecord(tx, id)
			if err != nil {
				return err
			}
			if s.forgettable(tx, id, r, before) {
				old = append(old, id)
			}
		}
		return nil
	})
	if err != nil || len(old) == 0 {
		return 0, err
	}
	err = s.update(func(tx *bbolt.Tx) error {
		forgotten = 0
		for _, id := range old {
			r, _, err := readRecord(tx, id)
			if err != nil || !s.forgettable(tx, id, r, before) {
				continue
			}
			err = errors.Join(tx.Bucket(jobsBucket).Delete(jobKey(id)), tx.Bucket(trackedBucket).Delete(jobKey(id)))
			if err != nil {
				return err
			}
			forgotten++
		}
		return nil
	})
	return forgotten, err
}

func (s *Store) forgettable(tx *bbolt.Tx, id job.ID, r record, before time.Time) bool {
	if r.RefreshPending || r.Sequence != r.Acked || s.retains(r) || !fromNanos(max(r.Asked, r.Marked)).Before(before) || id.IsCommCell() {
		return false
	}
	why := Why(tx.Bucket(trackedBucket).Get(jobKey(id)))
	return why == Untracked || why == "" && (r.Terminal || r.Told.Lost)
}
