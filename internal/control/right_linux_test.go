package control

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestDialWithoutTheRight(t *testing.T) {
	w := newWatcher(t, filepath.Join(openFolder(t), "watcher.db"))
	w.open(t)
	if err := os.Chmod(w.path+".sock", 0); err != nil {
		t.Fatal(err)
	}
	err := asNobody(t, func() error { _, err := Dial(w.path); return err })
	refuses(t, err, "no right to use the running watcher's socket; run this as the user that runs the watcher")

	if err := os.Chmod(filepath.Dir(w.path), 0); err != nil {
		t.Fatal(err)
	}
	err = asNobody(t, func() error { _, err := Dial(w.path); return err })
	refuses(t, err, "no right to use the running watcher's socket")
}

// TestASocketForAGroup: who is in it commands the watcher, whoever else is not, wherever the socket lies.
func TestASocketForAGroup(t *testing.T) {
	group := 54321
	if os.Getuid() != 0 {
		group = os.Getgid() // nobody but root gives another; that others are kept out, the modes say
	}
	t.Setenv("TMPDIR", "/tmp") // others reach it
	for name, below := range map[string]string{"beside the store": "", "a short one": strings.Repeat("long", 30)} {
		t.Run(name, func(t *testing.T) {
			top := openFolder(t)
			dir := filepath.Join(top, below)
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			w := newWatcher(t, filepath.Join(dir, "watcher.db"))
			w.group = strconv.Itoa(group)
			client := w.open(t)
			isTheGroups := func() bool { // a moment after the watcher's own user may use it
				info, err := os.Stat(client.path)
				return err == nil && info.Mode() == fs.ModeSocket|0o660 && info.Sys().(*syscall.Stat_t).Gid == uint32(group)
			}
			for end := time.Now().Add(time.Minute); !isTheGroups(); time.Sleep(time.Millisecond) {
				if time.Now().After(end) {
					t.Fatal("the socket is never the group's")
				}
			}
			dial := func() error { _, err := Dial(w.path); return err } // a connection is all that takes a right
			if err := asMember(t, group, dial); err != nil {
				t.Errorf("a member: %v", err)
			}
			if os.Getuid() == 0 {
				refuses(t, asMember(t, 54322, dial), "or as a member of its store.socket_group")
			}
		})
	}
	t.Run("that is none leaves no socket", func(t *testing.T) {
		w := newWatcher(t, filepath.Join(t.TempDir(), "watcher.db"))
		refuses(t, (&Server{Store: w.path, Group: "nobody-here", Admin: w.Admin}).Run(t.Context()), `group "nobody-here"`)
		if _, err := os.Lstat(w.path + ".sock"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("there is one: %v", err)
		}
	})
}

// openFolder is one that other users reach, as they do not reach t.TempDir.
func openFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "jobwatch-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func asNobody(t *testing.T, do func() error) error { return asMember(t, 65534, do) }

// asMember runs do as nobody, in one group, without root's rights, which no file mode stops.
func asMember(t *testing.T, group int, do func() error) error {
	t.Helper()
	if os.Getuid() != 0 {
		return do()
	}
	errs := make(chan error)
	go func() { // the thread loses its rights for good: it ends with the goroutine that it is locked to
		runtime.LockOSThread()
		for _, call := range [][4]uintptr{
			{syscall.SYS_SETGROUPS, 0, 0, 0},
			{syscall.SYS_SETRESGID, uintptr(group), uintptr(group), uintptr(group)},
			{syscall.SYS_SETRESUID, 65534, 65534, 65534},
		} {
			if _, _, errno := syscall.RawSyscall(call[0], call[1], call[2], call[3]); errno != 0 {
				errs <- errno
				return
			}
		}
		errs <- do()
	}()
	return <-errs
}
