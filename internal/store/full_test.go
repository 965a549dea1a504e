package store_test

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"jobwatch/internal/event"
	"jobwatch/internal/store"
)

// A store whose making a full disk has broken off is made at the next start.
func TestOpenOnAFullDisk(t *testing.T) {
	signal.Ignore(syscall.SIGXFSZ)
	defer signal.Reset(syscall.SIGXFSZ)
	defer limitFiles(t, 1<<40)
	for _, room := range []uint64{0, 4 << 10, 12 << 10, 16 << 10, 20 << 10} {
		t.Run(fmt.Sprintf("room for %d bytes", room), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "watcher.db")
			limitFiles(t, room)
			if s, err := store.Open(path, event.NewMinter(nil)); err == nil {
				t.Error("opened without room")
				s.Close()
			}
			limitFiles(t, 1<<40)
			s, err := store.Open(path, event.NewMinter(nil))
			if err != nil {
				t.Fatal(err)
			}
			s.Close()
			if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 1 {
				t.Errorf("%v are left", entries)
			}
		})
	}
}

// limitFiles has writes beyond so many bytes fail.
func limitFiles(t *testing.T, bytes uint64) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	limit.Cur = min(bytes, limit.Max)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
}
