package system

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// opened is the file once more: a lock belongs to what was opened, so that a second one stands for another process.
func opened(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestALockKeepsOthersOut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	one, other := opened(t, path), opened(t, path)
	for _, row := range []struct {
		what string
		do   func() error
		want error
	}{
		{"one locks", func() error { return Lock(one) }, nil},
		{"other may not", func() error { return Lock(other) }, ErrLocked},
		{"nor beside others", func() error { return LockShared(other) }, ErrLocked},
		{"one lets go", func() error { return Unlock(one) }, nil},
		{"other locks beside others", func() error { return LockShared(other) }, nil},
		{"so does one", func() error { return LockShared(one) }, nil},
		{"one lets go again", func() error { return Unlock(one) }, nil},
		{"and may not alone", func() error { return Lock(one) }, ErrLocked},
		{"other closes", other.Close, nil},
		{"one locks for good", func() error { return Lock(one) }, nil},
	} {
		if err := row.do(); !errors.Is(err, row.want) {
			t.Fatalf("%s: %v, want %v", row.what, err, row.want)
		}
	}
	if _, err := one.WriteString("held"); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "held" {
		t.Errorf("others read %q (%v) of a locked file, want what it holds", text, err)
	}
}

// TestALockIsTheOneOfTheStore: a file that is claimed cannot be opened as a store, nor the other way round.
func TestALockIsTheOneOfTheStore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	f := opened(t, path)
	if err := Lock(f); !errors.Is(err, ErrLocked) {
		t.Errorf("Lock of an open store: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := Lock(f); err != nil {
		t.Fatal(err)
	}
	if _, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: 10 * time.Millisecond}); !errors.Is(err, berrors.ErrTimeout) {
		t.Errorf("a store opens whose file is locked: %v", err)
	}
}

// TestALockEndsWithItsProcess, which is killed.
func TestALockEndsWithItsProcess(t *testing.T) {
	path := os.Getenv("JOBWATCH_TEST_LOCK")
	if path != "" { // the process that is killed
		if err := Lock(opened(t, path)); err != nil {
			t.Fatal(err)
		}
		os.Stdout.WriteString("locked\n")
		select {}
	}
	path = filepath.Join(t.TempDir(), "lock")
	holder := exec.Command(os.Args[0], "-test.run=^TestALockEndsWithItsProcess$")
	holder.Env = append(os.Environ(), "JOBWATCH_TEST_LOCK="+path)
	out, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	said := make([]byte, 64)
	n, err := out.Read(said)
	if !strings.Contains(string(said[:n]), "locked") {
		t.Fatalf("the other process says %q (%v)", said[:n], err)
	}
	f := opened(t, path)
	if err := Lock(f); !errors.Is(err, ErrLocked) {
		t.Errorf("Lock beside another process: %v", err)
	}
	if err := holder.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = holder.Wait()
	for end := time.Now().Add(30 * time.Second); Lock(f) != nil; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("locked still, and the process is dead")
		}
	}
}
