package system

import (
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// TestOwnersWithoutTheRightToGive: the packaged unit takes chown away. What has its owner and its group already needs none.
func TestOwnersWithoutTheRightToGive(t *testing.T) {
	folder := t.TempDir()
	file, other := filepath.Join(folder, "file"), filepath.Join(folder, "other")
	for _, path := range []string{file, other} {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	of, err := os.Stat(other)
	if err != nil {
		t.Fatal(err)
	}
	if err := withoutChown(func() error { return os.Chown(file, os.Getuid(), os.Getgid()) }); err == nil {
		t.Fatal("the filter lets chown through")
	}
	if err := withoutChown(func() error { return GiveOwner(file, of) }); err != nil {
		t.Errorf("GiveOwner: %v", err)
	}
}

// TestOpenToGroup: the group of one's own is given without the right to give; another is not, and then nobody gets anything.
func TestOpenToGroup(t *testing.T) {
	own := strconv.Itoa(os.Getegid())
	for _, row := range []struct {
		group string
		right fs.FileMode
		says  string
	}{
		{own, 0o660, ""},
		{"54321", 0o600, `/file: no right to give it to the group "54321" (operation not permitted); make that a group of this user, or the unit's Group=`},
		{"nobody-here", 0o600, `group "nobody-here": no such group in /etc/group here; make it, or write the number of one that a directory has`},
	} {
		file := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		err := withoutChown(func() error { return OpenToGroup(file, row.group, 0o660) })
		if (err == nil) != (row.says == "") || err != nil && !strings.Contains(err.Error(), row.says) {
			t.Errorf("%s: the error is %v, want %q", row.group, err, row.says)
		}
		if info, err := os.Stat(file); err != nil || info.Mode() != row.right {
			t.Errorf("%s: the file is %v (%v), want %v", row.group, info.Mode(), err, row.right)
		}
	}
	if number, err := Group("root"); err != nil || number != 0 {
		t.Errorf("the group root is %d (%v)", number, err)
	}
}

// withoutChown runs do on a thread that may not change owners, as under configs/watcher.service.
func withoutChown(do func() error) error {
	errs := make(chan error)
	go func() { // the thread has the filter for good: it ends with the goroutine that it is locked to
		runtime.LockOSThread()
		if err := forbid(unix.SYS_FCHOWNAT); err != nil {
			errs <- err
			return
		}
		errs <- do()
	}()
	return <-errs
}

// forbid has the kernel refuse a call to this thread.
func forbid(call uint32) error {
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}, // the number of the call
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: call, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	return unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0)
}
