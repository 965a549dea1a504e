package endtoend

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// TestSimPrintsAConfiguration goes the way of a new user: sim in one terminal, and what it prints as the
// configuration of run in another, until the first event.
func TestSimPrintsAConfiguration(t *testing.T) {
	printed := startSim(t, "--speed", "20", "--fault", "error-flat:0.05")
	checkControl(t, printed)
	address := keptAddress(t)
	dir := t.TempDir()
	config := filepath.Join(dir, "watcher.yaml")
	text := printed + fmt.Sprintf("nats: {embedded: {listen: %q}}\nhttp: {listen: \"\"}\n", address)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	run := exec.CommandContext(t.Context(), "watcher", "run", "-c", config)
	run.Dir = dir
	var said log
	run.Stderr = &said
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = run.Wait() })
	nc, err := nats.Connect("nats://"+address, nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	events, err := nc.SubscribeSync("jobs.sim.>")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := events.NextMsg(time.Minute); err != nil {
		t.Errorf("no event: %v\nconfiguration:\n%s\nlog:\n%s", err, text, said.String())
	}
}

// checkControl asks at the address that sim tells to ask at.
func checkControl(t *testing.T, printed string) {
	t.Helper()
	_, after, _ := strings.Cut(printed, "curl ")
	url, _, _ := strings.Cut(after, "\n")
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if said, err := io.ReadAll(response.Body); err != nil || !strings.Contains(string(said), "in force: error-flat at a rate of 0.05\n") {
		t.Errorf("%s: got %s, %v", url, said, err)
	}
}

// startSim gives all that sim prints when it starts.
func startSim(t *testing.T, flags ...string) string {
	t.Helper()
	sim := exec.CommandContext(t.Context(), "watcher", append([]string{"sim", "--listen", "127.0.0.1:0"}, flags...)...)
	out, err := sim.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := sim.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Wait() }) // the test's context has killed it
	var printed strings.Builder
	for lines := bufio.NewScanner(out); lines.Scan(); {
		printed.WriteString(lines.Text() + "\n")
		if strings.Contains(lines.Text(), "schedule:") {
			return printed.String()
		}
	}
	t.Fatalf("sim printed no schedule:\n%s", printed.String())
	return ""
}
