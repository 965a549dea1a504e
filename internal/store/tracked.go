package store

import (
	"bytes"
	"errors"
	"time"

	"go.etcd.io/bbolt"

	"jobwatch/internal/job"
)

// Why says why a job is polled.
type Why string

// The reasons to poll a job, as the file has them.
const (
	Configured Why = "configured" // by the configuration: for ever
	ByHand     Why = "by hand"    // by a person: until its end is told
	Discovered Why = "discovered" // by the Job list: until its end is told
	FinalPoll  Why = "closing"    // its end is told: until it was polled once more
	Refresh    Why = "owed"       // what a foreign writer told of it was adopted: until a poll has answered
	Untracked  Why = "untracked"  // not polled, whatever the Job list says; until it is forgotten
)

var whys = []Why{Configured, ByHand, Discovered, FinalPoll, Refresh, Untracked}

// Track adds jobs to those that are polled. A reason that lasts longer stays; where nothing is new,
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
	default:
		return before == why
	}
}

func track(tx *bbolt.Tx, id job.ID, why Why) error {
	tracked := tx.Bucket(trackedBucket)
	if outlasts(Why(tracked.Get(jobKey(id))), why) {
		return nil
	}
	return tracked.Put(jobKey(id), []byte(why))
}

func trackForRefresh(tx *bbolt.Tx, id job.ID) error {
	tracked := tx.Bucket(trackedBucket)
	if tracked.Get(jobKey(id)) != nil {
		return nil
	}
	return tracked.Put(jobKey(id), []byte(Refresh))
}

// stopTracking ends the polling of a job, where stops says so; a configured one stays, and an untracked one stays out.
func stopTracking(tx *bbolt.Tx, id job.ID, stops bool) error {
	tracked := tx.Bucket(trackedBucket)
	why := Why(tracked.Get(jobKey(id)))
	if !stops || why == Configured || why == Untracked {
		return nil
	}
	return tracked.Delete(jobKey(id))
}

// awaitFinalPoll marks a job whose end is told for its final poll, unless it is configured or not polled any more.
func awaitFinalPoll(tx *bbolt.Tx, id job.ID, ended bool) error {
	tracked := tx.Bucket(trackedBucket)
	why := Why(tracked.Get(jobKey(id)))
	if !ended || why == "" || why == Configured || why == Untracked {
		return nil
	}
	return tracked.Put(jobKey(id), []byte(FinalPoll))
}

// ErrNotTracked says that a job is not polled anyway.
var ErrNotTracked = errors.New("not tracked")

// Untrack ends the polling of a job, also if the Job list names it, until it is forgotten. Its unsent events are still
// sent.
func (s *Store) Untrack(id job.ID) error {
	return s.update(func(tx *bbolt.Tx) error {
		if why := Why(tx.Bucket(trackedBucket).Get(jobKey(id))); why == "" || why == Untracked {
			return ErrNotTracked
		}
		return untrack(tx, id)
	})
}

// untrack notes when that was: it may be long ago that the job was seen here, if ever, and it is not to be forgotten before
// the Job list may have named it.
func untrack(tx *bbolt.Tx, id job.ID) error {
	r, snapshot, err := readRecord(tx, id)
	if err != nil {
		return err
	}
	r.setMisses(Misses{}) // they do not count once it is polled again
	r.Marked = time.Now().UnixNano()
	return errors.Join(writeRecord(tx, id, r, snapshot), tx.Bucket(trackedBucket).Put(jobKey(id), []byte(Untracked)))
}

// Tracked is a job that is polled, and why. There may be 100,000 of them: small.
type Tracked struct {
	Number int64
	Why    Why
}

// Tracked lists the jobs of a CommCell that are polled, in the order of their numbers.
func (s *Store) Tracked(commCell string) ([]Tracked, error) {
	var tracked []Tracked
	err := s.view(func(tx *bbolt.Tx) error {
		prefix := []byte(commCell + "/")
		c := tx.Bucket(trackedBucket).Cursor()
		for key, value := c.Seek(prefix); bytes.HasPrefix(key, prefix); key, value = c.Next() {
			why, err := whyPolled(tx, key, parseWhy(value))
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

// WhyTracked says why a job is polled; "" if it is not.
func (s *Store) WhyTracked(id job.ID) (why Why, err error) {
	err = s.view(func(tx *bbolt.Tx) error {
		key := jobKey(id)
		why, err = whyPolled(tx, key, parseWhy(tx.Bucket(trackedBucket).Get(key)))
		return err
	})
	if why == Untracked {
		why = ""
	}
	return why, err
}

// whyPolled gives why a job is polled. An untracked one still is while a refresh is pending: without that poll its events
// could never be sent.
func whyPolled(tx *bbolt.Tx, key []byte, why Why) (Why, error) {
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
	for _, why := range whys {
		if string(text) == string(why) {
			return why
		}
	}
	return Why(text)
}

// Configure makes the jobs given the configured ones of a CommCell. One that was configured before
// is from now on polled like any other: until its end is told.
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
