package system

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/windows"
)

// ReplacesOpenFiles says whether a file may take the place of one that is open.
const ReplacesOpenFiles = false

const (
	errAddressInUse = windows.WSAEADDRINUSE
	errRefused      = windows.WSAECONNREFUSED
)

// The last byte that a file could have is locked, as bbolt does: what is locked here nobody else can read or write.
func lockedByte() *windows.Overlapped {
	return &windows.Overlapped{Offset: 1<<32 - 1, OffsetHigh: 1<<32 - 1}
}

// Lock locks a file for this process alone, or returns ErrLocked at once.
func Lock(f *os.File) error { return lock(f, windows.LOCKFILE_EXCLUSIVE_LOCK) }

// LockShared locks a file against those who want it alone, or returns ErrLocked at once.
func LockShared(f *os.File) error { return lock(f, 0) }

// Unlock lets others lock the file.
func Unlock(f *os.File) error {
	return windows.UnlockFileEx(windows.Handle(f.Fd()), 0, 1, 0, lockedByte())
}

func lock(f *os.File, how uint32) error {
	err := windows.LockFileEx(windows.Handle(f.Fd()), how|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, lockedByte())
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) || errors.Is(err, windows.ERROR_IO_PENDING) {
		return ErrLocked
	}
	return err
}

// SyncFolder has nothing to do: NTFS writes names to its own log, and lets nobody flush a folder.
func SyncFolder(path string) error {
	_, err := os.Stat(path)
	return err
}

// GiveOwner has nothing to do: a file in a folder inherits its rights.
func GiveOwner(string, fs.FileInfo) error { return nil }

var errNoGroups = errors.New("a file has no group on Windows; leave it out")

// Group is the number of a group of this machine: there is none.
func Group(string) (int, error) { return 0, errNoGroups }

// OpenToGroup is not to be had: a file in a folder inherits its rights.
func OpenToGroup(string, string, fs.FileMode) error { return errNoGroups }

// FileNumber is the file's number on its disk, as /proc/locks has it; "" where there is none.
func FileNumber(fs.FileInfo) string { return "" }

// MayWrite says why this process may not write a file, or in a folder make one. Rights are lists here that only a try reads.
func MayWrite(path string) error {
	info, err := os.Stat(path)
	if err == nil && info.IsDir() {
		return mayMake(path)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err == nil {
		return f.Close()
	}
	return reason(err)
}

func mayMake(folder string) error {
	f, err := os.CreateTemp(filepath.Clean(folder), "jobwatch-check-")
	if err != nil {
		return reason(err)
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// reason is the error without the path, which callers name.
func reason(err error) error {
	if number, ok := errors.AsType[syscall.Errno](err); ok {
		return number
	}
	return err
}

// FreeBytes is what this process may still write on the folder's disk; known is false where the disk does not say.
func FreeBytes(folder string) (free int64, known bool) {
	var bytes uint64
	name, err := windows.UTF16PtrFromString(folder)
	if err != nil || windows.GetDiskFreeSpaceEx(name, &bytes, nil, nil) != nil {
		return 0, false
	}
	return int64(bytes), true
}

// ListenPrivate listens on a Unix socket, which has the rights that its folder hands on.
func ListenPrivate(path string) (net.Listener, error) {
	return net.Listen("unix", path)
}
