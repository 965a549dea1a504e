package store

import (
	"bytes"

	"go.etcd.io/bbolt"

	"jobwatch/internal/job"
)

// Marks are what people have decided of a CommCell's jobs, by number: ByHand, or Untracked. The stream does not tell it.
func (s *Store) Marks(commCell string) (map[int64]Why, error) {
	marks := map[int64]Why{}
	err := s.view(func(tx *bbolt.Tx) error {
		prefix := []byte(commCell + "/")
		c := tx.Bucket(trackedBucket).Cursor()
		for key, value := c.Seek(prefix); bytes.HasPrefix(key, prefix); key, value = c.Next() {
			if why := parseWhy(value); why == ByHand || why == Untracked {
				marks[keyNumber(key)] = why
			}
		}
		return nil
	})
	return marks, err
}

// Mark takes over what a person has decided of a job at another watcher, ByHand or Untracked, be the job known or not.
// Where it is no news, nothing is written.
func (s *Store) Mark(id job.ID, why Why) error {
	if why != Untracked {
		return s.Track(why, id)
	}
	var before Why
	err := s.view(func(tx *bbolt.Tx) error {
		before = Why(tx.Bucket(trackedBucket).Get(jobKey(id)))
		return nil
	})
	if err != nil || before == Untracked {
		return err
	}
	return s.update(func(tx *bbolt.Tx) error { return untrack(tx, id) })
}
