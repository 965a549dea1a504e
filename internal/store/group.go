package store

import (
	"runtime"
	"slices"
	"sync"

	"go.etcd.io/bbolt"

	"jobwatch/internal/failpoint"
)

// group commits the writes that arrive together in one transaction: one fsync a write would be
// 2,000 jobs a second, however many want to write.
type group struct {
	mu      sync.Mutex
	waiting []*write // not yet in a transaction; guarded by mu
	leading bool     // someone is committing; guarded by mu
}

// write is one caller's part of a transaction.
type write struct {
	apply func(*bbolt.Tx) error // may be run again in another transaction, when this one came to nothing
	err   error
	done  chan struct{} // closed when err is final
	lead  chan struct{} // closed when the caller is to commit what waits
}

// update runs apply in a transaction that it may share with others, and returns when that is on disk. Where apply has an
// error, nothing of it is kept. It may be run more than once: what it leaves elsewhere than in the transaction it leaves
// through OnCommit, or sets anew each time.
func (s *Store) update(apply func(*bbolt.Tx) error) error {
	w := &write{apply: apply, done: make(chan struct{}), lead: make(chan struct{})}
	g := &s.commits
	g.mu.Lock()
	g.waiting = append(g.waiting, w)
	if !g.leading {
		g.leading = true
		close(w.lead)
	}
	g.mu.Unlock()

	select {
	case <-w.done:
		return w.err
	case <-w.lead:
		s.commitWaiting()
		return w.err
	}
}

// commitWaiting commits all that waits, the caller's own write among it, and then hands the lead on.
func (s *Store) commitWaiting() {
	runtime.Gosched() // who is about to write comes along
	_ = failpoint.At(failpoint.BeforeTransaction, s)
	g := &s.commits
	g.mu.Lock()
	batch := g.waiting
	g.waiting = nil
	g.mu.Unlock()

	s.transact(batch)
	for _, w := range batch {
		close(w.done)
	}

	g.mu.Lock()
	defer g.mu.Unlock()
	g.leading = len(g.waiting) > 0
	if g.leading {
		close(g.waiting[0].lead)
	}
}

// transact commits the writes in one transaction. bbolt cannot take back a part of one: where a write has an error, all
// is taken back, and done again without it.
func (s *Store) transact(batch []*write) {
	for len(batch) > 0 {
		failed := -1
		err := s.write(func(tx *bbolt.Tx) error {
			for i, w := range batch {
				if w.err = w.apply(tx); w.err != nil {
					failed = i
					return w.err
				}
			}
			return failpoint.At(failpoint.BeforeCommit, s)
		})
		if failed >= 0 {
			batch = slices.Concat(batch[:failed], batch[failed+1:])
			continue
		}
		if err == nil {
			err = failpoint.At(failpoint.AfterCommit, s)
		}
		for _, w := range batch {
			w.err = err
		}
		return
	}
}
