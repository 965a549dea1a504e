package endtoend

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// TestStartCompacts: what a start that was killed had begun to copy is removed by the next one that opens the file.
func TestStartCompacts(t *testing.T) {
	w, _ := followed(t)
	w.stop()
	begun := filepath.Join(w.dir, "watcher.db.compact")
	if err := os.WriteFile(begun, []byte("begun"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.start()
	w.until("the copy is removed", func() bool {
		_, err := os.Stat(begun)
		return errors.Is(err, fs.ErrNotExist)
	})
	w.judge()
}
