//go:build unix

package system

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// ReplacesOpenFiles says whether a file may take the place of one that is open.
const ReplacesOpenFiles = true

const (
	errAddressInUse = syscall.EADDRINUSE
	errRefused      = syscall.ECONNREFUSED
)

// Lock locks a file for this process alone, or returns ErrLocked at once.
func Lock(f *os.File) error { return flock(f, syscall.LOCK_EX) }

// LockShared locks a file against those who want it alone, or returns ErrLocked at once.
func LockShared(f *os.File) error { return flock(f, syscall.LOCK_SH) }

// Unlock lets others lock the file.
func Unlock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_UN) }

func flock(f *os.File, how int) error {
	err := syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return ErrLocked
	}
	return err
}

// SyncFolder makes durable what the folder's files are called.
func SyncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// GiveOwner gives a file the owner of another.
func GiveOwner(path string, of fs.FileInfo) error {
	if owner, ok := of.Sys().(*syscall.Stat_t); ok {
		return own(path, int(owner.Uid), int(owner.Gid))
	}
	return nil
}

// own leaves alone what has its owner already: the packaged unit takes away the very right to ask.
func own(path string, user, group int) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if is, ok := info.Sys().(*syscall.Stat_t); ok && int(is.Uid) == user && int(is.Gid) == group {
		return nil
	}
	return os.Lchown(path, user, group)
}

// Group is the number of a group of this machine, said by its name or by that number.
func Group(name string) (int, error) {
	if group, err := user.LookupGroup(name); err == nil {
		return strconv.Atoi(group.Gid)
	}
	number, err := strconv.ParseUint(name, 10, 31)
	if err != nil {
		return 0, errors.New("no such group in /etc/group here; make it, or write the number of one that a directory has")
	}
	return int(number), nil
}

// OpenToGroup gives a file to a group, and then the rights: nobody else's group has them in between.
func OpenToGroup(path, name string, rights fs.FileMode) error {
	group, err := Group(name)
	if err != nil {
		return fmt.Errorf("group %q: %w", name, err)
	}
	if err := own(path, os.Geteuid(), group); errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EINVAL) {
		return fmt.Errorf("%s: no right to give it to the group %q (%w); make that a group of this user, or the unit's Group=", path, name, errors.Unwrap(err))
	} else if err != nil {
		return err
	}
	return os.Chmod(path, rights)
}

// FileNumber is the file's number on its disk, as /proc/locks has it; "" where there is none.
func FileNumber(file fs.FileInfo) string {
	if stat, ok := file.Sys().(*syscall.Stat_t); ok {
		return strconv.FormatUint(uint64(stat.Ino), 10)
	}
	return ""
}

// MayWrite says why this process may not write a file, or in a folder make one.
func MayWrite(path string) error {
	mode := uint32(unix.W_OK)
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		mode |= unix.X_OK
	}
	return unix.Access(path, mode)
}

// ListenPrivate listens on a Unix socket that has the mode 0600 as it is made: nobody else gets to it in between. On
// Linux it takes its own along; elsewhere the umask gives it, which is that of all that the process makes at the moment.
func ListenPrivate(path string) (net.Listener, error) {
	config := net.ListenConfig{Control: private}
	if runtime.GOOS != "linux" {
		config.Control = nil
		defer syscall.Umask(syscall.Umask(0o177))
	}
	return config.Listen(context.Background(), "unix", path)
}

func private(_, _ string, socket syscall.RawConn) error {
	var refused error
	err := socket.Control(func(fd uintptr) { refused = syscall.Fchmod(int(fd), 0o600) })
	return errors.Join(err, refused)
}
