package store

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"jobwatch/internal/failpoint"
)

// groupCommit commits the writes that arrive together in one transaction: with an fsync for each, 2,000 jobs a second
// would be the most, however many callers write.
type groupCommit struct {
	mu      sync.Mutex
	waiting []*write // not yet in a transaction; guarded by mu
	leading bool     // a caller is committing; guarded by mu
}

// write is one caller's part of a transaction.
type write struct {
	apply func(*bbolt.Tx) error // may be run again in another transaction, when this one came to nothing
	err   error
	done  chan struct{} // closed when err is final
	lead  chan struct{} // closed when the caller is to commit what waits
}

// update runs apply in a transaction that it may share with others, and returns when that is on disk. Where apply has an
// error, nothing of it is kept. It may be run more than once: what it changes outside of the transaction it changes in
// OnCommit, or sets from the start each time.
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
	runtime.Gosched() // a goroutine that is about to write joins
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
		failed, began := -1, time.Now()
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
		if s.Took != nil {
			s.Took(time.Since(began))
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

// errOverwritten says that somebody else has changed the file while it was in use.
var errOverwritten = errors.New("the file was overwritten or damaged while it was in use; start the watcher again, which goes on with it if it is a store, else put a copy of watcher store backup in its place, or run: watcher store rebuild")

// view reads in a transaction of its own. All that reads the open file goes through it, and all that writes through
// write: bbolt trusts that nobody else touches its file, and panics, or reads beyond its end, where somebody has.
func (s *Store) view(read func(*bbolt.Tx) error) (err error) {
	defer s.recovered(&err, debug.SetPanicOnFault(true))
	before := s.committed.Load()
	tx, err := s.db.Begin(false)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if id := int64(tx.ID()); id < before || id > s.committed.Load()+1 {
		return s.overwritten(fmt.Errorf("it is at transaction %d, and %d was written", id, before))
	}
	return read(tx)
}

// write changes the file in one transaction.
func (s *Store) write(change func(*bbolt.Tx) error) (err error) {
	defer s.recovered(&err, debug.SetPanicOnFault(true))
	done := s.committed.Load()
	return s.db.Update(func(tx *bbolt.Tx) error {
		found := int64(tx.ID()) - 1
		if found != done && found != done+1 { // a write that failed may have happened
			return s.overwritten(fmt.Errorf("it is at transaction %d, and %d was written", found, done))
		}
		s.committed.Store(found)
		tx.OnCommit(func() { s.committed.Store(found + 1) })
		return change(tx)
	})
}

// recovered makes an error of what bbolt does with a file that is not what it was.
func (s *Store) recovered(err *error, before bool) {
	debug.SetPanicOnFault(before)
	switch cause := recover().(type) {
	case nil:
	case interface{ Addr() uintptr }: // a fault in the mapped memory
		*err = s.overwritten(errors.New("it was cut short"))
	default:
		*err = s.overwritten(fmt.Errorf("%v in %s", cause, panicked()))
	}
}

// panicked names the function that has panicked: only that shows whether the file is to blame, or the program.
func panicked() string {
	pc := make([]uintptr, 32)
	frames := runtime.CallersFrames(pc[:runtime.Callers(3, pc)]) // of the caller of recovered
	for {
		frame, more := frames.Next()
		if !strings.HasPrefix(frame.Function, "runtime.") {
			return fmt.Sprintf("%s, line %d", frame.Function, frame.Line)
		}
		if !more {
			return "an unknown function"
		}
	}
}

// overwritten marks the file as broken, so that it is used no more, and gives the error that says so.
func (s *Store) overwritten(cause error) error {
	err := fmt.Errorf("%s: %w (%w)", s.db.Path(), errOverwritten, cause)
	s.broken.Store(true)
	if s.Broken != nil {
		s.Broken(err)
	}
	return err
}
