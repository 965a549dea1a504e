package endtoend

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"jobwatch/internal/sim"
)

// TestFromAnotherFolder has a watcher whose file names its store by a relative name, and asks it from elsewhere.
func TestFromAnotherFolder(t *testing.T) {
	play := sim.New(sim.Config{})
	play.Add(sim.Job{ID: 71, Client: "fall", Steps: []sim.Step{{State: "Running", Phase: "Scan"}}})
	w := newWorld(t, 1, play)
	text, err := os.ReadFile(w.config)
	if err != nil {
		t.Fatal(err)
	}
	short := strings.Replace(string(text), fmt.Sprintf("%q", filepath.Join(w.dir, "watcher.db")), "watcher.db", 1)
	if err := os.WriteFile(w.config, []byte(short), 0o600); err != nil {
		t.Fatal(err)
	}
	elsewhere := t.TempDir()
	t.Chdir(elsewhere)
	store := filepath.Join(w.dir, "watcher.db")
	typed(t, "jobs", "list", "-c", w.config).Fails(t, failed, store+": no such store, and no watcher is running")
	w.start()
	w.judge()
	t.Chdir(t.TempDir())
	typed(t, "jobs", "list", "-c", w.config).Succeeds(t, "sim/71")
	typed(t, "jobs", "track", "sim/72", "-c", w.config).Succeeds(t, "tracked")
	typed(t, "check", "-c", w.config).Succeeds(t, store+" is in use by the running watcher")
	w.ends()
	typed(t, "jobs", "show", "sim/72", "-c", w.config).Succeeds(t, "by hand")

	// A store that a version before has kept in the folder of the start is not left for a new one.
	t.Chdir(elsewhere)
	if err := os.Rename(store, filepath.Join(elsewhere, "watcher.db")); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"run", "check", "jobs list"} {
		s := typed(t, append(strings.Fields(command), "-c", w.config)...)
		s.Fails(t, wrong, fmt.Sprintf("store.path: %s is not there, and ", store))
		s.Fails(t, wrong, filepath.Join(elsewhere, "watcher.db")+" is: ")
	}
	if exists, _ := filepath.Glob(store + "*"); len(exists) > 0 {
		t.Errorf("made anew: %s", exists)
	}
}
