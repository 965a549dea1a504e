package endtoend

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"jobwatch/internal/sim"
	"jobwatch/internal/testing/slow"
	"jobwatch/internal/testing/terminal"
)

// receiver takes what a webhook relay sends.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	code   int                 // its answer
	order  map[string][]string // job => sequences of its events, as they came; guarded by mu
	header http.Header         // of the last
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{code: http.StatusNoContent, order: map[string][]string{}}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	var event struct{ ID, PartitionKey, Sequence string }
	_ = json.Unmarshal(body, &event)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.header = req.Header.Clone()
	if r.code < 300 {
		r.order[event.PartitionKey] = append(r.order[event.PartitionKey], event.Sequence)
	}
	w.WriteHeader(r.code)
	fmt.Fprint(w, "the answer")
}

func (r *receiver) answers(code int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.code = code
}

// events counts those that came, each once, and fails the test if a job's came out of order.
func (r *receiver) events(t *testing.T) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for job, sequences := range r.order {
		last := ""
		for _, s := range sequences {
			if s < last {
				t.Errorf("job %s: %s came after %s", job, s, last)
			}
			if s > last {
				n++
			}
			last = max(last, s)
		}
	}
	return n
}

// relay adds relays to the configuration.
func (w *world) relay(format string, values ...any) {
	w.t.Helper()
	text, err := os.ReadFile(w.config)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(w.config, fmt.Appendf(text, "relays:\n"+format, values...), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) keep(name, text string) (file string) {
	w.t.Helper()
	file = filepath.Join(w.dir, name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return file
}

// command is another process of the same configuration; it ends with the test.
func (w *world) command(said *log, args ...string) *exec.Cmd {
	w.t.Helper()
	c := exec.CommandContext(w.t.Context(), "watcher", append(args, "-c", w.config)...)
	c.Stderr = said
	if err := c.Start(); err != nil {
		w.t.Fatal(err)
	}
	return c
}

// TestRelayGoesOn has two processes with the same relay, of which the one that delivers is killed. Its configuration is
// ten lines long.
func TestRelayGoesOn(t *testing.T) {
	slow.Test(t, "15 s", "a lease is given up after the readings of eight seconds")
	const jobs = 20
	clock := &lifeClock{step: 30 * time.Millisecond}
	w := newWorld(t, 14, sim.New(sim.Config{Seed: 14, Jobs: jobs, Clock: clock.now}), clock.turnedBy)
	w.clock = clock
	to := newReceiver(t)
	secret := base64.StdEncoding.EncodeToString([]byte("a secret of twenty-four bytes or more"))
	w.relay(`  - name: hook
    start: all
    webhook:
      url: %s/hook?key=hunter2
      allow: [127.0.0.1]
      allow_http: true
      secret_files: [%s]
      headers: {Authorization: {value_file: %s}}
`, to.URL, w.keep("whsec", "whsec_"+secret), w.keep("auth", "Bearer swordfish"))
	w.start()
	w.says("relay delivers")
	var said log
	beside := w.command(&said, "relay", "run", "--http", "127.0.0.1:0")
	clock.run(5)
	w.until("events are delivered", func() bool { return to.events(t) > jobs })
	if got := to.header; got.Get("Authorization") != "Bearer swordfish" || !strings.HasPrefix(got.Get("Webhook-Signature"), "v1,") {
		t.Errorf("got %v", got)
	}
	var status terminal.Said
	w.until("its status says so", func() bool {
		status = typed(t, "relay", "status", "-c", w.config, "-o", "json").Succeeds(t)
		return strings.Contains(status.Out, `"state": "delivering"`)
	})

	w.kill() // and polling starts again, without relays
	killed := time.Now()
	w.child = w.command(&w.said, "run", "--no-relays")
	before := to.events(t)
	clock.run(10)
	w.until("the other goes on", func() bool { return to.events(t) > before })
	if took := time.Since(killed); took > 20*time.Second {
		t.Logf("the other goes on after %v; it is to be 20 s on a machine that is not overloaded", took)
	}
	w.until("every job's end is seen", func() bool { return allEnded(w.sim.Served(), jobs) })
	w.acknowledged()
	w.until("all is delivered", func() bool { return to.events(t) == len(w.read()) }, func() string { return said.String() })

	began := time.Now()
	_ = beside.Process.Signal(syscall.SIGTERM)
	if err := beside.Wait(); err != nil {
		t.Errorf("SIGTERM ends relay run with %v\n%s", err, said.String())
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it stops after %v", took)
	}
	w.stop()
	for _, text := range []string{w.said.String(), said.String(), status.Out} {
		for _, secret := range []string{"hunter2", "swordfish", secret} {
			if strings.Contains(text, secret) {
				t.Errorf("%s is in\n%s", secret, text)
			}
		}
	}
}
