package audit

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// TestWhatIsPlantedGetsNoKey: who may write beside a log leaves a link or a file of his own where its key is written first.
func TestWhatIsPlantedGetsNoKey(t *testing.T) {
	for kind, plant := range map[string]func(elsewhere, here string) error{"link": os.Symlink, "file": os.Link} {
		t.Run(kind, func(t *testing.T) {
			folder, elsewhere := t.TempDir(), filepath.Join(t.TempDir(), "elsewhere")
			if err := os.WriteFile(elsewhere, []byte("theirs\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			open, err := os.Open(elsewhere)
			if err != nil {
				t.Fatal(err)
			}
			defer open.Close()
			if err := plant(elsewhere, filepath.Join(folder, "ops.key"+unfinished)); err != nil {
				t.Fatal(err)
			}
			deliver(t, newLog(t, Config{Dir: filepath.Join(folder, "ops")}), batchOf(1, 3))
			if text, err := io.ReadAll(open); err != nil || string(text) != "theirs\n" {
				t.Errorf("it got %q, %v", text, err)
			}
			if info, err := os.Lstat(filepath.Join(folder, "ops.key")); err != nil || info.Mode() != 0o600 {
				t.Errorf("the key is %v, %v", info, err)
			}
		})
	}
}

// TestALinkInPlaceOfAPart: what it leads to is not written to, whatever it holds.
func TestALinkInPlaceOfAPart(t *testing.T) {
	folder, elsewhere := t.TempDir(), filepath.Join(t.TempDir(), "elsewhere")
	dir := filepath.Join(folder, "ops")
	l := newLog(t, Config{Dir: dir})
	deliver(t, l, batchOf(1, 3))
	l.Close()
	part := filepath.Join(dir, partName(1, plain))
	if err := errors.Join(os.Rename(part, elsewhere), os.Symlink(elsewhere, part)); err != nil {
		t.Fatal(err)
	}
	was, _ := os.ReadFile(elsewhere)
	l, err := New(Config{Dir: dir, now: clock()})
	if err == nil {
		_, err = l.Deliver(t.Context(), batchOf(4, 6))
		l.Close()
	}
	if err == nil {
		t.Error("it is taken")
	}
	if is, _ := os.ReadFile(elsewhere); string(is) != string(was) {
		t.Errorf("it led to %q, which is %q now", was, is)
	}
}
