package store

import (
	"bytes"
	"errors"
	"time"

	"go.etcd.io/bbolt"

	"jobwatch/internal/job"
)

// Why says why a job is looked at.
type Why string

// The reasons to look at a job.
const (
	Configured Why = "configured" // by the configuration: for ever
	ByHand     Why = "by hand"    // by a person: until its end is told
	Discovered Why = "discovered" // by the Job list: until its end is told
	FinalPoll  Why = "closing"    // its end is told: until it was looked at once more
	Refresh    Why = "owed"       // by another watcher that spoke: until a look has answered
	Untracked  Why = "untracked"  // not looked at, whatever the Job list says; until it is forgotten
)

// Track has the jobs looked at from now on. A reason that lasts longer stays; where nothing is new,
// nothing is written.
func (s *Store) Track(why Why, ids ...job.ID) error {
	var fresh []job.ID
	err := s.view(func(tx *bbolt.Tx) error {
		for _, id := range ids {
			if !outlasts(Why(tx.Bucket(trackedBucket).Get(jobKey(id))), why) {
				fresh = append(fresh, id)
			}
		}
		return nil
	})
	if err != nil || len(fresh) == 0 {
		return err
	}
	return s.update(func(tx *bbolt.Tx) error {
		for _, id := range fresh {
			if err := track(tx, id, why); err != nil {
				return err
			}
		}
		return nil
	})
}

func outlasts(before, why Why) bool {
	switch before {
	case Configured:
		return true
	case ByHand, Untracked:
		return why == Discovered || why == Refresh || why == before
	}
	return before == why
}

func track(tx *bbolt.Tx, id job.ID, why Why) error {
	tracked := tx.Bucket(trackedBucket)
	if outlasts(Why(tracked.Get(jobKey(id))), why) {
		return nil
	}
	return tracked.Put(jobKey(id), []byte(why))
}

func markOwed(tx *bbolt.Tx, id job.ID) error {
	if tx.Bucket(trackedBucket).Get(jobKey(id)) != nil {
		return nil
	}
	return track(tx, id, Refresh)
}

// leave takes a job from the tracked set; a configured one stays, and an untracked one stays out.
func leave(tx *bbolt.Tx, id job.ID, leaves bool) error {
	tracked := tx.Bucket(trackedBucket)
	why := Why(tracked.Get(jobKey(id)))
	if !leaves || why == Configured || why == Untracked {
		return nil
	}
	return tracked.Delete(jobKey(id))
}

// finish has a job whose end is told looked at once more, unless it is configured or not looked at any more.
func finish(tx *bbolt.Tx, id job.ID, finishes bool) error {
	tracked := tx.Bucket(trackedBucket)
	why := Why(tracked.Get(jobKey(id)))
	if !finishes || why == "" || why == Configured || why == Untracked {
		return nil
	}
	return tracked.Put(jobKey(id), []byte(FinalPoll))
}

// ErrNotTracked says that a job is not looked at anyway.
var ErrNotTracked = errors.New("not tracked")

// Untrack has a job looked at no more, also if the Job list names it, until it is forgotten. What its
// events owe is still told.
func (s *Store) Untrack(id job.ID) error {
	return s.update(func(tx *bbolt.Tx) error {
		tracked := tx.Bucket(trackedBucket)
		if why := Why(tracked.Get(jobKey(id))); why == "" || why == Untracked {
			return ErrNotTracked
		}
		return errors.Join(endMisses(tx, id), tracked.Put(jobKey(id), []byte(Untracked)))
	})
}

// Tracked is a job that is looked at, and why. There may be 100,000 of them: small.
type Tracked struct {
	Number int64
	Why    Why
}

// Tracked lists the jobs of a CommCell that are looked at, in the order of their numbers.
func (s *Store) Tracked(commCell string) ([]Tracked, error) {
	var tracked []Tracked
	err := s.view(func(tx *bbolt.Tx) error {
		prefix := []byte(commCell + "/")
		c := tx.Bucket(trackedBucket).Cursor()
		for key, value := c.Seek(prefix); bytes.HasPrefix(key, prefix); key, value = c.Next() {
			why, err := toLookAt(tx, key, parseWhy(value))
			if err != nil {
				return err
			}
			if why != Untracked {
				tracked = append(tracked, Tracked{keyNumber(key), why})
			}
		}
		return nil
	})
	return tracked, err
}

// WhyTracked says why a job is looked at; "" if it is not.
func (s *Store) WhyTracked(id job.ID) (why Why, err error) {
	err = s.view(func(tx *bbolt.Tx) error {
		key := jobKey(id)
		why, err = toLookAt(tx, key, parseWhy(tx.Bucket(trackedBucket).Get(key)))
		return err
	})
	if why == Untracked {
		why = ""
	}
	return why, err
}

// toLookAt gives why a job is looked at. An untracked one still is where another watcher spoke of it:
// without that look its events could never be sent.
func toLookAt(tx *bbolt.Tx, key []byte, why Why) (Why, error) {
	if why != Untracked {
		return why, nil
	}
	r, _, err := readRecord(tx, parseKey(key, 0))
	if r.RefreshPending {
		why = Refresh
	}
	return why, err
}

// parseWhy gives one of the reasons without memory of its own.
func parseWhy(text []byte) Why {
	for _, why := range []Why{Configured, ByHand, Discovered, FinalPoll, Refresh, Untracked} {
		if string(text) == string(why) {
			return why
		}
	}
	return Why(text)
}

// Configure makes the jobs given the configured ones of a CommCell. One that was configured before
// is from now on looked at like any other: until its end is told.
func (s *Store) Configure(commCell string, numbers []int64) error {
	before, err := s.Tracked(commCell)
	if err != nil {
		return err
	}
	now := map[job.ID]bool{}
	for _, number := range numbers {
		now[job.ID{CommCell: commCell, Number: number}] = true
	}
	return s.update(func(tx *bbolt.Tx) error {
		for _, t := range before {
			id := job.ID{CommCell: commCell, Number: t.Number}
			if t.Why != Configured || now[id] {
				continue
			}
			if err := tx.Bucket(trackedBucket).Put(jobKey(id), []byte(Discovered)); err != nil {
				return err
			}
		}
		for id := range now {
			if err := track(tx, id, Configured); err != nil {
				return err
			}
		}
		return nil
	})
}

// Forget drops the snapshots of a CommCell's jobs that ended before a time, or are untracked or lost and
// were last seen before it, are not looked at, owe no event, and have none kept.
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
	if r.RefreshPending || r.Sequence != r.Acked || s.keeps(r) || !fromNanos(r.Asked).Before(before) || id.IsCommCell() {
		return false
	}
	why := Why(tx.Bucket(trackedBucket).Get(jobKey(id)))
	return why == Untracked || why == "" && (r.Terminal || r.Told.Lost)
}
