//go:build unix

package stream

import (
	"os"
	"syscall"
)

// flock takes the file for this process, without waiting; closing it gives it back.
func flock(file *os.File) error {
	return syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}
