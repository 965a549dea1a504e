package endtoend

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDebugARunningWatcher types the commands that look into one.
func TestDebugARunningWatcher(t *testing.T) {
	w, _ := followed(t)
	var dump struct {
		State struct {
			CommCells []struct{ Name string }
		}
		Goroutines []string
	}
	said := typed(t, "debug", "dump", "-c", w.config).Succeeds(t)
	if err := json.Unmarshal([]byte(said.Out), &dump); err != nil || len(dump.State.CommCells) != 1 || dump.State.CommCells[0].Name != "sim" || len(dump.Goroutines) == 0 {
		t.Errorf("%v: %s", err, said.Out)
	}
	if strings.Contains(said.Out, "password") {
		t.Errorf("the configuration is in\n%s", said.Out)
	}
	if taken := typed(t, "debug", "profile", "cpu", "--for", "100ms", "-c", w.config).Succeeds(t); !strings.HasPrefix(taken.Out, "\x1f\x8b") {
		t.Errorf("the profile is %q", taken.Out)
	}
	file := filepath.Join(t.TempDir(), "heap.pprof")
	typed(t, "debug", "profile", "heap", "--file", file, "-c", w.config).Succeeds(t)
	if taken, err := os.ReadFile(file); err != nil || !strings.HasPrefix(string(taken), "\x1f\x8b") {
		t.Errorf("the file holds %q (%v)", taken, err)
	}
	typed(t, "debug", "log-level", "debug", "-c", w.config).Succeeds(t, "log level: debug (it was info)\n")
	typed(t, "debug", "log-level", "error", "-c", w.config).Succeeds(t, "log level: error (it was debug)\n")
	w.says("the log's level is set by watcher debug: error")
	typed(t, "debug", "profile", "gossip", "-c", w.config).Fails(t, wrong, `invalid argument "gossip"`)
	typed(t, "debug", "profile", "cpu", "--for", "1h", "-c", w.config).Fails(t, wrong, "--for must be above 0, and 10m0s at most")
	typed(t, "debug", "log-level", "loud", "-c", w.config).Fails(t, wrong, `invalid argument "loud"`)
	w.stop()
	typed(t, "debug", "dump", "-c", w.config).Fails(t, failed, "no watcher is running; start one with: watcher run -c ")
}
