package store

import (
	"bytes"
	"math/rand/v2"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"jobwatch/internal/job"
)

// Known is what the store knows of a job. The zero Known is a job never seen.
type Known struct {
	Told           job.Told
	Asked          time.Time // when the last observation stored was asked for; zero: unknown
	Updated        time.Time // its own time, by the CommServe's clock
	LastProgress   time.Time // since when the job shows the progress of the snapshot stored; zero: unknown, or not active
	Misses         Misses    // since then
	Digest         uint64
	Terminal       bool
	RefreshPending bool // what a foreign writer told was adopted: the next poll replaces what is held

	revision, sequence uint64
}

// Recall reads what is known of a job.
func (s *Store) Recall(id job.ID) (Known, error) {
	var k Known
	err := s.view(func(tx *bbolt.Tx) error {
		line, _, _ := bytes.Cut(tx.Bucket(jobsBucket).Get(jobKey(id)), newline)
		cached, found := s.cache.get(id, line)
		if found {
			k = cached
			return nil
		}
		r, _, err := readRecord(tx, id)
		k = Known{
			Told: r.Told, Asked: fromNanos(r.Asked), Updated: fromNanos(r.Updated),
			LastProgress: fromNanos(r.LastProgress), Misses: Misses{r.Misses, fromNanos(r.Missed)}, Digest: r.Digest,
			Terminal: r.Terminal, RefreshPending: r.RefreshPending, revision: r.Revision, sequence: r.Sequence,
		}
		if err == nil {
			s.cache.put(id, line, k)
		}
		return err
	})
	return k, err
}

// Snapshot reads the newest snapshot held of a job; false if there is none.
func (s *Store) Snapshot(id job.ID) (job.Snapshot, bool, error) {
	var snapshot job.Snapshot
	found := false
	err := s.view(func(tx *bbolt.Tx) error {
		_, line, err := readRecord(tx, id)
		if err != nil || len(line) == 0 {
			return err
		}
		found = true
		if snapshot, err = decodeSnapshot(line); err != nil {
			return corrupt(tx, id, "its snapshot", err)
		}
		return nil
	})
	return snapshot, found, err
}

// recallCache holds what was recalled last, so that a job that is polled again and again is decoded once.
// It is never stale: an entry counts only for the very bytes that it was decoded from.
type recallCache struct {
	mu    sync.Mutex
	byJob map[job.ID]cachedKnown // guarded by mu
}

type cachedKnown struct {
	line  string
	known Known
}

const cacheSize = 1 << 12 // about 2 MB

func (c *recallCache) get(id job.ID, line []byte) (Known, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	cached, found := c.byJob[id]
	return cached.known, found && cached.line == string(line)
}

// put remembers a job. Where there is no room it mostly does not: jobs are polled in turn, and a cache that evicts
// one for the next has neither when its turn comes.
func (c *recallCache) put(id job.ID, line []byte, known Known) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byJob == nil {
		c.byJob = map[job.ID]cachedKnown{}
	}
	if _, replaced := c.byJob[id]; !replaced && !c.makeRoom() {
		return
	}
	c.byJob[id] = cachedKnown{string(line), known}
}

// makeRoom evicts a job now and then, so that those that are polled no more disappear.
func (c *recallCache) makeRoom() bool {
	if len(c.byJob) < cacheSize {
		return true
	}
	if rand.IntN(10) > 0 {
		return false
	}
	for id := range c.byJob { // any one
		delete(c.byJob, id)
		break
	}
	return true
}
