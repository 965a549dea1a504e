package system

import (
	"os"
	"path/filepath"
	"runtime"
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
