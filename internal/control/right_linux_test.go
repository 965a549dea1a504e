package control

import (
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

func TestDialWithoutTheRight(t *testing.T) {
	dir, err := os.MkdirTemp("/tmp", "jobwatch-control-") // t.TempDir is closed to others
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	w := newWatcher(t, filepath.Join(dir, "watcher.db"))
	w.open(t)
	if err := os.Chmod(w.path+".sock", 0); err != nil {
		t.Fatal(err)
	}
	err = asNobody(t, func() error { _, err := Dial(w.path); return err })
	refuses(t, err, "no right to use the running watcher's socket; run this as the user that runs the watcher")

	if err := os.Chmod(filepath.Dir(w.path), 0); err != nil {
		t.Fatal(err)
	}
	err = asNobody(t, func() error { _, err := Dial(w.path); return err })
	refuses(t, err, "no right to use the running watcher's socket")
}

// asNobody runs do without root's rights, which no file mode stops.
func asNobody(t *testing.T, do func() error) error {
	t.Helper()
	if os.Getuid() != 0 {
		return do()
	}
	errs := make(chan error)
	go func() { // the thread loses its rights for good: it ends with the goroutine that it is locked to
		runtime.LockOSThread()
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, 65534, 65534, 65534); errno != 0 {
			errs <- errno
			return
		}
		errs <- do()
	}()
	return <-errs
}
