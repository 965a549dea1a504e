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
	Asked          time.Time // when the last observation kept was asked for; zero: unknown
	Updated        time.Time // its own time, by the CommServe's clock
	LastProgress   time.Time // since when the job shows the progress of the snapshot held; zero: unknown, or not active
	Misses         Misses    // since then
	Digest         uint64
	Terminal       bool
	RefreshPending bool // another watcher spoke: the next look replaces what is held

	revision, sequence uint64
}

// Recall reads what is known of a job.
func (s *Store) Recall(id job.ID) (Known, error) {
	var k Known
	err := s.view(func(tx *bbolt.Tx) error {
		line, _, _ := bytes.Cut(tx.Bucket(jobsBucket).Get(jobKey(id)), newline)
		held, found := s.memory.recall(id, line)
		if found {
			k = held
			return nil
		}
		r, _, err := readRecord(tx, id)
		k = Known{
			Told: r.Told, Asked: fromNanos(r.Asked), Updated: fromNanos(r.Updated),
			LastProgress: fromNanos(r.LastProgress), Misses: Misses{r.Misses, fromNanos(r.Missed)}, Digest: r.Digest,
			Terminal: r.Terminal, RefreshPending: r.RefreshPending, revision: r.Revision, sequence: r.Sequence,
		}
		if err == nil {
			s.memory.keep(id, line, k)
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
			return illegible(tx, id, "its snapshot", err)
		}
		return nil
	})
	return snapshot, found, err
}

// memory holds what was recalled last, so that a job that is polled again and again is decoded once.
// It is never wrong: what it holds goes by the very bytes that it was decoded from.
type memory struct {
	mu   sync.Mutex
	held map[job.ID]memo // guarded by mu
}

type memo struct {
	line  string
	known Known
}

const memos = 1 << 12 // about 2 MB

func (m *memory) recall(id job.ID, line []byte) (Known, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	held, found := m.held[id]
	return held.known, found && held.line == string(line)
}

// keep remembers a job. Where there is no room it mostly does not: jobs are polled in turn, so who evicts the
// last one for the next will have neither when its turn comes.
func (m *memory) keep(id job.ID, line []byte, known Known) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.held == nil {
		m.held = map[job.ID]memo{}
	}
	if _, replaced := m.held[id]; !replaced && !m.room() {
		return
	}
	m.held[id] = memo{string(line), known}
}

// room makes some now and then, so that those go of which nobody asks any more.
func (m *memory) room() bool {
	if len(m.held) < memos {
		return true
	}
	if rand.IntN(10) > 0 {
		return false
	}
	for id := range m.held { // any one
		delete(m.held, id)
		break
	}
	return true
}
