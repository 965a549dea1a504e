package store

import (
	"runtime"
	"sync"

	"go.etcd.io/bbolt"

	"jobwatch/internal/crash"
)

// group commits the writes that arrive together in one transaction: one fsync a write would be
// 2,000 jobs a second, however many want to write.
type group struct {
	mu      sync.Mutex
	waiting []*write // not yet in a transaction; guarded by mu
	leading bool     // someone is committing; guarded by mu
}

// write is one caller's part of a transaction. Its function changes nothing when it returns an error.
type write struct {
	apply func(*bbolt.Tx) error
	err   error
	done  chan struct{} // closed when err is final
	lead  chan struct{} // closed when the caller is to commit what waits
}

// update runs apply in a transaction that it may share with others, and returns when that is on disk.
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
	if s.Gather != nil {
		s.Gather()
	}
	g := &s.commits
	g.mu.Lock()
	batch := g.waiting
	g.waiting = nil
	g.mu.Unlock()

	err := s.transact(batch)
	for _, w := range batch {
		if err != nil {
			w.err = err
		}
		close(w.done)
	}

	g.mu.Lock()
	defer g.mu.Unlock()
	g.leading = len(g.waiting) > 0
	if g.leading {
		close(g.waiting[0].lead)
	}
}

// transact runs one transaction. A write that refuses itself does not keep the others from the disk.
func (s *Store) transact(batch []*write) error {
	err := s.db.Update(func(tx *bbolt.Tx) error {
		for _, w := range batch {
			w.err = w.apply(tx)
		}
		crash.At(crash.BeforeCommit)
		return s.fault(BeforeCommit)
	})
	if err == nil {
		crash.At(crash.AfterCommit)
		err = s.fault(AfterCommit)
	}
	return err
}

func (s *Store) fault(at Point) error {
	if s.Fault == nil {
		return nil
	}
	return s.Fault(at)
}
