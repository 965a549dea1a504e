package audit

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"jobwatch/internal/system"
)

// lockFolder waits a little: a verify holds the lock for a moment.
func (w *writer) lockFolder() error {
	if w.lock == nil {
		lock, err := os.OpenFile(w.path(lockName), os.O_RDWR|os.O_CREATE, 0o644)
		if err != nil {
			return err
		}
		w.lock = lock
	}
	for tries := 0; ; tries++ {
		err := system.Lock(w.lock)
		switch {
		case err == nil:
			w.held = true
			return nil
		case !errors.Is(err, system.ErrLocked):
			return err
		case tries == 20:
			return fmt.Errorf("%s: %w; give each relay a folder of its own", w.Dir, errInUse)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

var errInUse = errors.New("in use by another process")

// lend lets others lock the folder.
func (w *writer) lend() {
	if w.held && system.Unlock(w.lock) == nil {
		w.held = false
	}
}

// retake locks the folder again, and says whether the log is as it was left.
func (w *writer) retake() (same bool, err error) {
	if w.held {
		return true, nil
	}
	if err := w.lockFolder(); err != nil {
		return false, err
	}
	lock, err := os.Stat(w.path(lockName))
	ours, oursErr := w.lock.Stat()
	if err != nil || oursErr != nil || !os.SameFile(lock, ours) {
		return false, nil
	}
	current, err := os.ReadFile(w.path(checkpointName))
	return err == nil && bytes.Equal(current, w.current) && w.untouched() == nil, nil
}

// BeingWritten says whether somebody writes the log in the folder at this moment.
func BeingWritten(dir string) bool {
	lock, err := os.Open(filepath.Join(dir, lockName))
	if err != nil {
		return false
	}
	defer lock.Close()
	return errors.Is(system.LockShared(lock), system.ErrLocked)
}
