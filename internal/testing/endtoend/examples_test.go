package endtoend

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"jobwatch/internal/sim"
	"jobwatch/internal/testing/slow"
)

// example is a program of examples/, which writes each event of a state or a failure into a ledger, a line each.
type example struct {
	w       *world
	command []string
	dir     string // where it runs
	ledger  string
	settled func() bool // whether nothing more is to come to it
	forget  func()      // has all events given to it again
	child   *exec.Cmd   // nil: it does not run
	said    log
}

// TestExamples builds the examples as a reader would, and runs them beside a watcher. They are killed at odd moments, and
// told everything once more: each event has to stand in each ledger, once and in the order of the stream.
func TestExamples(t *testing.T) {
	slow.Test(t, "20 s", "the examples are installed, built and killed as programs are")
	t.Parallel()
	w := newWorld(t, 1, sim.New(sim.Config{}))
	site := keptAddress(t)
	w.edit(`http: {listen: ""}`, fmt.Sprintf(`http: {listen: %q}`, site))
	w.start()
	examples := []*example{goExample(w), nodeExample(w), shellExample(w, site)}
	for kills, state := range []string{"Running", "Suspended", "Running"} {
		w.moveOn(state)
		for _, e := range examples {
			e.start()
			defer e.kill()
		}
		for _, e := range examples {
			w.until(e.dir+" writes", func() bool { return len(e.ids()) > 10*kills })
			e.kill()
		}
	}
	w.moveOn("Completed")
	w.until("every job's end is seen", func() bool { return allEnded(w.sim.Served(), 10) })
	w.judge()
	told := w.statesAndFailures()
	for _, e := range examples {
		e.holds(told)
		e.kill()
		e.forget()
		e.holds(told) // whatever it is given again
		e.kill()
	}
	w.kill()
}

// moveOn takes jobs to another state.
func (w *world) moveOn(state string) {
	for id := int64(1); id <= 10; id++ {
		w.sim.Add(sim.Job{ID: id, Client: "fall \"id\":\"x\"", Steps: []sim.Step{{At: -time.Minute, State: state, Phase: "Scan"}}})
	}
}

// statesAndFailures are the ids of the events that the examples want.
func (w *world) statesAndFailures() (ids []string) {
	eachMessage(w.t, w.jetStream(), "JOBS", "jobs.>", func(m jetstream.Msg) {
		if kind := strings.Split(m.Subject(), ".")[4]; kind == "state" || kind == "failure" {
			ids = append(ids, m.Headers().Get("Nats-Msg-Id"))
		}
	})
	return ids
}

// lastStateOrFailure is the sequence of the last of them in the stream.
func (w *world) lastStateOrFailure() string {
	js, err := w.jetStream().Stream(w.t.Context(), "JOBS")
	if err != nil {
		w.t.Fatal(err)
	}
	last := uint64(0)
	for _, filter := range []string{"jobs.*.*.*.state.*", "jobs.*.*.*.failure.*"} {
		if m, err := js.GetLastMsgForSubject(w.t.Context(), filter); err == nil {
			last = max(last, m.Sequence)
		}
	}
	return strconv.FormatUint(last, 10)
}

func goExample(w *world) *example {
	e := w.newExample("go", "example")
	binary := filepath.Join(e.dir, "subscribe")
	if out, err := exec.CommandContext(w.t.Context(), "go", "build", "-o", binary, "jobwatch/examples/subscribe").CombinedOutput(); err != nil {
		w.t.Fatalf("%v\n%s", err, out)
	}
	e.command = []string{binary, w.nats.ClientURL(), e.ledger}
	return e
}

func nodeExample(w *world) *example {
	e := w.newExample("node", "example-node")
	if err := os.CopyFS(e.dir, os.DirFS("../../../examples/node")); err != nil {
		w.t.Fatal(err)
	}
	install := exec.CommandContext(w.t.Context(), "npm", "ci", "--no-audit", "--no-fund")
	install.Dir = e.dir
	if out, err := install.CombinedOutput(); err != nil {
		w.t.Fatalf("npm ci: %v\n%s", err, out)
	}
	e.command = []string{"node", "subscribe.mjs", w.nats.ClientURL(), e.ledger}
	return e
}

func shellExample(w *world, site string) *example {
	e := w.newExample("shell", "")
	script, err := filepath.Abs("../../../examples/shell/subscribe.sh")
	if err != nil {
		w.t.Fatal(err)
	}
	e.command = []string{script, "http://" + site, e.ledger}
	e.settled = func() bool {
		place, _ := os.ReadFile(e.ledger + ".place")
		return strings.TrimSpace(string(place)) == w.lastStateOrFailure()
	}
	e.forget = func() {
		if err := os.Remove(e.ledger + ".place"); err != nil {
			w.t.Fatal(err)
		}
	}
	return e
}

// newExample has NATS forget the consumer's place where the example is to be told all again.
func (w *world) newExample(name, consumer string) *example {
	e := &example{w: w, dir: filepath.Join(w.dir, name)}
	e.ledger = filepath.Join(e.dir, "ledger.jsonl")
	if err := os.Mkdir(e.dir, 0o700); err != nil {
		w.t.Fatal(err)
	}
	e.settled = func() bool {
		c, err := w.jetStream().Consumer(w.t.Context(), "JOBS", consumer)
		return err == nil && c.CachedInfo().NumPending == 0 && c.CachedInfo().NumAckPending == 0
	}
	e.forget = func() {
		if err := w.jetStream().DeleteConsumer(w.t.Context(), "JOBS", consumer); err != nil {
			w.t.Fatal(err)
		}
	}
	return e
}

// start starts it with all the processes that it will start, so that kill ends them, too.
func (e *example) start() {
	e.w.t.Helper()
	e.child = exec.CommandContext(e.w.t.Context(), e.command[0], e.command[1:]...)
	e.child.Dir, e.child.Stderr = e.dir, &e.said
	e.child.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := e.child.Start(); err != nil {
		e.w.t.Fatal(err)
	}
}

func (e *example) kill() {
	if e.child != nil {
		_ = syscall.Kill(-e.child.Process.Pid, syscall.SIGKILL)
		_ = e.child.Wait()
		e.child = nil
	}
}

// holds runs it until it has been given everything, and then compares.
func (e *example) holds(want []string) {
	e.w.t.Helper()
	e.start()
	e.w.until(e.dir+" has been given all", e.settled, func() string { return e.said.String() })
	if got := e.ids(); !slices.Equal(got, want) {
		e.w.t.Errorf("%s holds\n%q, want\n%q\n%s", e.ledger, got, want, e.said.String())
	}
}

// ids are those of the events in the ledger; a line that is being written is none.
func (e *example) ids() (ids []string) {
	text, err := os.ReadFile(e.ledger)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		e.w.t.Fatal(err)
	}
	for line := range bytes.Lines(text[:bytes.LastIndexByte(text, '\n')+1]) {
		var event struct{ ID string }
		if err := json.Unmarshal(line, &event); err != nil {
			e.w.t.Fatalf("%s: %v: %s", e.ledger, err, line)
		}
		ids = append(ids, event.ID)
	}
	return ids
}
