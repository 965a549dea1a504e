package endtoend

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"jobwatch/internal/sim"
	"jobwatch/internal/testing/slow"
)

// TestASecondWatcherIsNamed runs two watchers on one CommCell: both say so once, and each event is told once.
func TestASecondWatcherIsNamed(t *testing.T) {
	slow.Test(t, "5 s", "two real processes watch one CommCell")
	const jobs = 20
	clock := &lifeClock{step: 30 * time.Millisecond}
	w := newWorld(t, 7, sim.New(sim.Config{Seed: 7, Jobs: jobs, Clock: clock.now}), clock.turnedBy)
	w.clock = clock
	text, err := os.ReadFile(w.config)
	if err != nil {
		t.Fatal(err)
	}
	second := filepath.Join(w.dir, "second.yaml")
	if err := os.WriteFile(second, []byte(strings.Replace(string(text), "watcher.db", "second.db", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	w.start()
	var said log
	other := exec.CommandContext(t.Context(), "watcher", "run", "-c", second)
	other.Stderr = &said
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	connected := func(said *log) bool { return strings.Contains(said.String(), "connected to NATS at") }
	w.until("both can tell", func() bool { return connected(&w.said) && connected(&said) })
	named := func(said *log) int { return strings.Count(said.String(), "another watcher tells of this CommCell too") }
	clock.run(10)
	w.until("every job's end is seen", func() bool { return allEnded(w.sim.Served(), jobs) })
	w.until("both name the other", func() bool { return named(&w.said) > 0 && named(&said) > 0 })
	_ = other.Process.Kill()
	_ = other.Wait()
	w.ends()
	if named(&w.said) != 1 || named(&said) != 1 {
		t.Errorf("named %d and %d times", named(&w.said), named(&said))
	}
	told := map[int64]int{}
	for _, e := range w.read() {
		told[e.job]++
		if want := fmt.Sprintf("%020d", told[e.job]); e.sequence != want {
			t.Errorf("job %d: event %s comes as the %dth", e.job, e.sequence, told[e.job])
		}
	}
}
