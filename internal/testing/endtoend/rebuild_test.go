package endtoend

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"jobwatch/internal/sim"
	"jobwatch/internal/testing/slow"
	"jobwatch/internal/testing/terminal"
)

// storeFiles are the names of all that lies where the store does.
func storeFiles(t *testing.T, w *world) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(w.dir, "watcher.db*"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, path := range paths {
		names = append(names, filepath.Base(path))
	}
	return names
}

// TestRebuild has a watcher go on with a store made anew, and nothing is told twice.
func TestRebuild(t *testing.T) {
	slow.Test(t, "4 s", "a store is made again of the stream that real processes have filled")
	play := sim.New(sim.Config{})
	add := func(number int64, state string) {
		play.Add(sim.Job{ID: number, Client: "fall", Steps: []sim.Step{{At: -time.Minute, State: state, Phase: "Scan"}}})
	}
	for number := range int64(3) {
		add(71+number, "Running")
	}
	w := newWorld(t, 1, play)
	path := filepath.Join(w.dir, "watcher.db")
	rebuild := func() terminal.Said { return typed(t, "store", "rebuild", "-c", w.config) }
	w.start()
	w.judge()
	rebuild().Fails(t, failed, fmt.Sprintf("watcher.db: in use by another watcher (pid %d); stop it, and do this then", w.child.Process.Pid))
	deleted := path + ".deleted" // its socket is still served
	if err := os.Rename(path, deleted); err != nil {
		t.Fatal(err)
	}
	rebuild().Fails(t, failed, "watcher.db: a watcher is running; stop it, and do this then")
	if err := os.Rename(deleted, path); err != nil {
		t.Fatal(err)
	}
	w.stop()

	damaged := []byte("not a store at all")
	if err := os.WriteFile(path, damaged, 0o600); err != nil {
		t.Fatal(err)
	}
	w.stopNATS()
	rebuild().Fails(t, failed, "watcher.db: not rebuilt, and left as it is: NATS is away")
	if text, err := os.ReadFile(path); err != nil || string(text) != string(damaged) || len(storeFiles(t, w)) != 1 {
		t.Errorf("%q are there, and the store holds %q (%v)", storeFiles(t, w), text, err)
	}
	w.startNATS(w.proxy.target)
	rebuild().Succeeds(t, fmt.Sprintf("rebuilt from stream JOBS: 3 jobs, %d events\n", len(w.read())), "the old file is "+path+".old-", ", which cannot be read\n")
	names := storeFiles(t, w)
	if len(names) != 2 || !strings.HasPrefix(names[1], "watcher.db.old-") {
		t.Fatalf("there are %q", names)
	}
	if text, err := os.ReadFile(filepath.Join(w.dir, names[1])); err != nil || string(text) != string(damaged) {
		t.Errorf("the old file holds %q (%v)", text, err)
	}
	typed(t, "store", "verify", "-c", w.config).Succeeds(t, "3 jobs, 0 unsent events")
	typed(t, "jobs", "track", "sim/73", "-c", w.config).Succeeds(t) // by hand, instead of for a refresh that is pending
	rebuild().Succeeds(t, ", which alone holds 0 unsent events, and 1 jobs tracked or untracked by hand\n")
	rebuild().Succeeds(t, ", which holds nothing that the new one does not\n")
	add(71, "Suspended")
	w.start()
	w.until("the change is told", func() bool {
		return slices.ContainsFunc(w.read(), func(e received) bool { return strings.Contains(e.what, "Suspended") })
	})
	w.judge()
	w.stop()
}

// TestRebuildEmbedded reads the embedded server's own folder, without a file that was there before.
func TestRebuildEmbedded(t *testing.T) {
	play := sim.New(sim.Config{})
	play.Add(sim.Job{ID: 71, Client: "fall", Steps: []sim.Step{{At: -time.Minute, State: "Running", Phase: "Scan"}}})
	w := newWorld(t, 1, play)
	w.start()
	w.judge()
	w.stop()
	w.stopNATS()
	config := w.embeddedConfig(t, "nats")
	if err := os.Remove(filepath.Join(w.dir, "watcher.db")); err != nil {
		t.Fatal(err)
	}
	none := w.embeddedConfig(t, "none")
	typed(t, "store", "rebuild", "-c", none).Fails(t, failed, "the embedded server has no stream yet")
	if names := storeFiles(t, w); len(names) > 0 {
		t.Errorf("a failure leaves %q", names)
	}
	said := typed(t, "store", "rebuild", "-c", config).Succeeds(t, "rebuilt from stream JOBS: 1 jobs, ")
	if names := storeFiles(t, w); strings.Contains(said.Out, "old file") || !slices.Equal(names, []string{"watcher.db"}) {
		t.Errorf("said is %q, left are %q", said.Out, names)
	}
	typed(t, "jobs", "show", "sim/71", "-c", config).Succeeds(t, "Running")
	typed(t, "jobs", "history", "sim/71", "-c", config).Succeeds(t, "state.running")
	typed(t, "store", "verify", "-c", config).Succeeds(t, "1 jobs, 0 unsent events", "stream: 2 events of 1 jobs\n")
}

// embeddedConfig is the world's configuration with the embedded server on a folder of the world.
func (w *world) embeddedConfig(t *testing.T, dir string) string {
	t.Helper()
	text, err := os.ReadFile(w.config)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "nats:") {
			lines[i] = fmt.Sprintf(`nats: {url: embedded, embedded: {listen: "127.0.0.1:0", dir: %q}}`, filepath.Join(w.dir, dir))
		}
	}
	path := filepath.Join(w.dir, dir+".yaml")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
