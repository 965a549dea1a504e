// Package disk gives tests disks that they can fill.
package disk

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

const size = "48m"

// New is a folder for stores: where the test may mount one, and only then small, a disk of its own.
func New(t *testing.T) (folder string, small bool) {
	folder = t.TempDir()
	if exec.Command("mount", "-t", "tmpfs", "-o", "size="+size, "tmpfs", folder).Run() != nil {
		return folder, false
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", folder).CombinedOutput(); err != nil {
			t.Errorf("umount %s: %v %s", folder, err, out)
		}
	})
	return folder, true
}

// Fill writes a file until its disk is full.
func Fill(t *testing.T, name string) {
	t.Helper()
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for some := make([]byte, 1<<20); len(some) > 0; {
		if _, err = file.Write(some); err != nil {
			some = some[:len(some)/2]
		}
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
}
