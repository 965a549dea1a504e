package store

import (
	"os"
	"path/filepath"
	"testing"

	"jobwatch/internal/event"
)

// TestALinkInPlaceOfTheStore leads to the store, for those who want it so; what it leads to and is no store is left as it is.
func TestALinkInPlaceOfTheStore(t *testing.T) {
	link, file := filepath.Join(t.TempDir(), "watcher.db"), filepath.Join(t.TempDir(), "elsewhere")
	must(t, os.Symlink(file, link))
	must(t, os.WriteFile(file, []byte("theirs"), 0o644))
	if s, err := Open(link, event.NewMinter(nil)); err == nil {
		s.Close()
		t.Error("somebody's file is taken for a store")
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "theirs" {
		t.Errorf("it holds %q (%v)", text, err)
	}
	must(t, os.Remove(file))
	for range 2 { // made, and opened again
		s, err := Open(link, event.NewMinter(nil))
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
		if info, err := os.Stat(file); err != nil || info.Mode() != 0o600 {
			t.Errorf("what it leads to is %v (%v)", info, err)
		}
		if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
			t.Errorf("the link is %v (%v)", info, err)
		}
	}
}
