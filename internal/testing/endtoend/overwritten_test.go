package endtoend

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"jobwatch/internal/sim"
)

// TestAStoreThatIsOverwritten has people copy another file over the one that a watcher works with: it says so in one
// line, and ends. What it had told stays told once, and the next start says whether it can use what is there.
func TestAStoreThatIsOverwritten(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		with func(w *world, store string) []byte // what lies there is replaced by; nil: it is cut short
		next bool                                // the next start can use it
	}{
		"an older copy": {func(w *world, _ string) []byte {
			return w.bytes("older.db")
		}, true},
		"another watcher's": {func(w *world, _ string) []byte {
			return w.bytes("another.db")
		}, true},
		"garbage of the same size": {func(w *world, store string) []byte {
			return bytes.Repeat([]byte("garbage "), len(w.bytes(store))/8)
		}, false},
		"something larger":  {func(w *world, store string) []byte { return bytes.Repeat([]byte{0xff}, 2*len(w.bytes(store))) }, false},
		"something smaller": {func(w *world, store string) []byte { return w.bytes(store)[:3*4096] }, false},
		"nothing":           {func(*world, string) []byte { return nil }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			play := sim.New(sim.Config{})
			for number := int64(71); number <= 90; number++ {
				play.Add(sim.Job{ID: number, Steps: []sim.Step{{At: -time.Minute, State: "Running", Phase: "Scan"}}})
			}
			w := newWorld(t, 1, play)
			w.edit("watcher.db", "another.db")
			w.start()
			w.progress(40)
			w.judge()
			w.stop()
			w.edit("another.db", "watcher.db")
			w.start()
			w.progress(20)
			w.acknowledged()
			typed(t, "store", "backup", filepath.Join(w.dir, "older.db"), "-c", w.config).Succeeds(t)
			play.Add(sim.Job{ID: 71, Steps: []sim.Step{{At: -time.Minute, State: "Pending", Phase: "Scan"}}})
			w.tells(t, 41)
			w.acknowledged()

			other := filepath.Join(w.dir, "other")
			if err := os.WriteFile(other, row.with(w, "watcher.db"), 0o600); err != nil {
				t.Fatal(err)
			}
			before := len(w.said.String())
			if out, err := exec.Command("cp", other, filepath.Join(w.dir, "watcher.db")).CombinedOutput(); err != nil {
				t.Fatalf("cp: %v %s", err, out)
			}
			w.endsOfItself(before)
			if !row.next {
				if s := typed(t, "run", "-c", w.config); s.Status != failed || !strings.Contains(s.Errs, "watcher store rebuild") {
					t.Errorf("status %d: %s", s.Status, s.Errs)
				}
				return
			}
			w.start()
			w.progress(20)
			w.judge()
			w.stop()
		})
	}
}

func (w *world) bytes(name string) []byte {
	w.t.Helper()
	content, err := os.ReadFile(filepath.Join(w.dir, name))
	if err != nil {
		w.t.Fatal(err)
	}
	return content
}

// endsOfItself waits for that, and holds what the watcher says of its store to one line.
func (w *world) endsOfItself(before int) {
	w.t.Helper()
	never := time.AfterFunc(time.Minute, func() { _ = w.child.Process.Kill() })
	err := w.child.Wait()
	never.Stop()
	said := w.said.String()[before:]
	var ended *exec.ExitError
	if !errors.As(err, &ended) || ended.ExitCode() != failed {
		w.t.Fatalf("it ends with %v\n%s", err, said)
	}
	var lines []string // but for records of the log that have nothing to do with it
	for line := range strings.Lines(said) {
		if !strings.HasPrefix(line, "{") || strings.Contains(line, "watcher.db") {
			lines = append(lines, line)
		}
	}
	if len(lines) != 1 || !strings.Contains(lines[0], "watcher.db: the file was overwritten or damaged while it was in use; start the watcher again") {
		w.t.Errorf("it says\n%s", said)
	}
}
