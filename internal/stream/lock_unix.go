//go:build unix

package stream

import (
	"os"
	"syscall"
)

// tryLock holds until the file is closed, also by a kill.
func tryLock(f *os.File) error {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}
