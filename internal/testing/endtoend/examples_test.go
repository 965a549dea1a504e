package endtoend

import (
	"bufio"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"jobwatch/internal/sim"
	"jobwatch/internal/testing/slow"
)

// TestExampleOfASubscriber builds the example as a reader would, and runs it beside a watcher: twice, since the second
// is to be given only what the first has not acknowledged.
func TestExampleOfASubscriber(t *testing.T) {
	slow.Test(t, "2 s", "the example is built and run as a reader would")
	binary := filepath.Join(t.TempDir(), "subscribe")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "jobwatch/examples/subscribe").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	play := sim.New(sim.Config{})
	w := newWorld(t, 1, play)
	is := func(state string) {
		play.Add(sim.Job{ID: 71, Client: "fall", Steps: []sim.Step{{At: -time.Minute, State: state, Phase: "Scan"}}})
	}
	is("Running")
	w.start()
	w.judge()
	prints := func(want string) {
		t.Helper()
		example := exec.CommandContext(t.Context(), binary, w.nats.ClientURL())
		out, err := example.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := example.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = example.Process.Kill(); _ = example.Wait() }()
		lines := bufio.NewScanner(out)
		if !lines.Scan() || lines.Text() != want {
			t.Fatalf("it prints %q, want %q", lines.Text(), want)
		}
		w.until("it is acknowledged", func() bool {
			consumer, err := w.jetStream().Consumer(t.Context(), "JOBS", "example")
			if err != nil {
				t.Fatal(err)
			}
			return consumer.CachedInfo().NumAckPending == 0
		})
	}
	prints("sim/71 #00000000000000000001 state: - -> Running (info)")
	is("Suspended")
	prints("sim/71 #00000000000000000003 state: Running -> Suspended (info)")
	w.kill()
}
