package endtoend

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"jobwatch/internal/sim"
)

// TestFullDiskAtFirst: where a full disk has broken off the making of the store, the next start makes it.
func TestFullDiskAtFirst(t *testing.T) {
	play := sim.New(sim.Config{})
	play.Add(sim.Job{ID: 71, Client: "fall", Steps: []sim.Step{{State: "Running", Phase: "Scan"}}})
	w := newWorld(t, 1, play)
	file := filepath.Join(w.dir, "watcher.db")
	for _, room := range []int{0, 4 << 10, 12 << 10, 16 << 10, 20 << 10} {
		full := exec.Command("watcher", "run", "-c", w.config)
		full.Env = append(os.Environ(), fmt.Sprintf("%s=%d", fullVariable, room))
		said, err := full.CombinedOutput()
		if full.ProcessState.ExitCode() != failed || !strings.Contains(string(said), "watcher.db: ") || strings.Contains(string(said), "panic") {
			t.Fatalf("room for %d bytes: %v: %s", room, err, said)
		}
		if w.start(); room == 0 {
			w.judge()
		}
		w.progress(1)
		w.kill()
		left, _ := filepath.Glob(file + "?*")
		if err := os.Remove(file); err != nil || len(left) > 1 { // the socket
			t.Fatalf("left are %v; %v", left, err)
		}
	}
}
