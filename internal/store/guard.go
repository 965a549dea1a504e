package store

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"go.etcd.io/bbolt"
)

// errOverwritten says that the file has become another under our hands.
var errOverwritten = errors.New("the file was overwritten or damaged while it was in use; start the watcher again, which goes on with it if it is a store, else put a copy of watcher store backup in its place, or run: watcher store rebuild")

// view reads in a transaction of its own. All that reads the open file goes through it, and all that writes through
// write: bbolt trusts a file that nobody else touches, and panics, or reads beyond its end, where somebody has.
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

// panicked names the function that has panicked: whether the file is to blame, or we are, shows in nothing else.
func panicked() string {
	pc := make([]uintptr, 32)
	frames := runtime.CallersFrames(pc[:runtime.Callers(3, pc)]) // of who calls who recovers
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

// overwritten says that the file cannot be used any more, and has nothing more asked of it.
func (s *Store) overwritten(cause error) error {
	err := fmt.Errorf("%s: %w (%w)", s.db.Path(), errOverwritten, cause)
	s.broken.Store(true)
	if s.Broken != nil {
		s.Broken(err)
	}
	return err
}
