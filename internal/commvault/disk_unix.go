//go:build unix

package commvault

import (
	"os"
	"syscall"
)

// tryLock holds until the file is closed, also by a kill.
func tryLock(f *os.File) error {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}

// syncFolder makes durable what the folder's files are called.
func syncFolder(name string) error {
	folder, err := os.Open(name)
	if err != nil {
		return err
	}
	defer folder.Close()
	return folder.Sync()
}
