package control

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// TestALinkInPlaceOfTheSocket is somebody's, and so is what it leads to.
func TestALinkInPlaceOfTheSocket(t *testing.T) {
	w := newWatcher(t, filepath.Join(t.TempDir(), "watcher.db"))
	elsewhere := filepath.Join(t.TempDir(), "elsewhere")
	for _, exists := range []bool{true, false} {
		if exists {
			if err := os.WriteFile(elsewhere, []byte("theirs"), 0o600); err != nil {
				t.Fatal(err)
			}
		} else if err := os.Remove(elsewhere); err != nil {
			t.Fatal(err)
		}
		_ = os.Remove(w.path + ".sock")
		if err := os.Symlink(elsewhere, w.path+".sock"); err != nil {
			t.Fatal(err)
		}
		refuses(t, (&Server{Store: w.path, Admin: w.Admin}).Run(t.Context()), "in the place of the watcher's socket")
		if text, _ := os.ReadFile(elsewhere); exists && string(text) != "theirs" {
			t.Errorf("it led to a file that holds %q now", text)
		}
		if _, err := os.Lstat(elsewhere); !exists && err == nil {
			t.Error("a socket was made where it leads")
		}
	}
}

// TestTheSocketIsPrivateFromTheFirstMoment, and nothing else is that is made in the process meanwhile: NATS could not use a
// folder without its owner's right to enter.
func TestTheSocketIsPrivateFromTheFirstMoment(t *testing.T) {
	sockets, folders := t.TempDir(), t.TempDir()
	stop, made := make(chan struct{}), make(chan error)
	go func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				made <- nil
				return
			default:
			}
			folder := filepath.Join(folders, fmt.Sprint(n))
			if err := os.Mkdir(folder, 0o700); err != nil {
				made <- err
				return
			}
			info, err := os.Stat(folder)
			if err == nil && info.Mode().Perm() != 0o700 {
				err = fmt.Errorf("a folder is made with the mode %v", info.Mode())
			}
			if err != nil {
				made <- err
				return
			}
			_ = os.Remove(folder)
		}
	}()
	for n := range 3000 {
		l, err := listenUnix(filepath.Join(sockets, fmt.Sprint(n)), "")
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Lstat(l.Addr().String())
		if err != nil || info.Mode() != fs.ModeSocket|0o600 {
			t.Fatalf("the socket is %v (%v)", info, err)
		}
		l.Close()
	}
	close(stop)
	if err := <-made; err != nil {
		t.Error(err)
	}
}
