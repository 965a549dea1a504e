package documents

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"jobwatch/internal/testing/terminal"
)

// process is one that stays.
type process struct {
	*exec.Cmd
	said  *output
	ended chan struct{}
}

// shell runs a command to its end, and remembers where it led to.
func (w *world) shell(typed string, within time.Duration) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), within)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", "set -o pipefail; "+typed+"\nstatus=$?; pwd > "+w.home+"/.stands; exit $status")
	cmd.Dir = w.dir
	cmd.Stdin = strings.NewReader("watcher\n") // what a reader pastes: the password
	said, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 128+int(syscall.SIGPIPE)) {
		w.t.Fatalf("%s\n%v\n%.4000s", typed, err, said)
	}
	if b, err := os.ReadFile(filepath.Join(w.home, ".stands")); err == nil {
		w.dir = strings.TrimSpace(string(b))
	}
}

// isAsked sits at a terminal, and answers what watcher init asks.
func (w *world) isAsked(typed string) {
	w.t.Helper()
	init := exec.CommandContext(w.t.Context(), "bash", "-c", typed)
	init.Dir = w.dir
	seat := terminal.Sit(w.t, init, 160, 50)
	for _, turn := range [][2]string{
		{"A short name for the CommCell", ""}, {"The root of its REST API", "http://" + w.commServe + "/webconsole/api"},
		{"A user who may see the jobs", "watcher"}, {"Password of watcher", "watcher"}, {"NATS server", ""},
	} {
		seat.Sees(turn[0])
		seat.Types(turn[1] + "\r")
	}
	seat.Sees("watcher.yaml is written. Next: watcher run, and")
	seat.Ends(0)
}

// start has a watcher watch, in the place of one that did.
func (w *world) start(typed string) {
	w.t.Helper()
	w.stop()
	w.watcher = w.stays(typed, w.answers("http://"+w.page+"/readyz"))
}

func (w *world) stop() {
	w.t.Helper()
	if w.watcher != nil {
		w.end(w.watcher)
		w.watcher = nil
	}
}

// stays starts what goes on, and waits until it is there.
func (w *world) stays(typed string, there func() bool) *process {
	w.t.Helper()
	p := &process{Cmd: exec.CommandContext(w.t.Context(), "bash", "-c", typed), said: &output{}, ended: make(chan struct{})}
	p.Dir, p.Stdout, p.Stderr = w.dir, p.said, p.said
	p.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.Cancel = func() error { return syscall.Kill(-p.Process.Pid, syscall.SIGKILL) }
	if err := p.Start(); err != nil {
		w.t.Fatal(err)
	}
	go func() { _ = p.Wait(); close(p.ended) }()
	w.t.Cleanup(func() { _ = p.Cancel(); <-p.ended })
	if there != nil {
		w.await(typed, func() bool {
			select {
			case <-p.ended:
				w.t.Fatalf("%s\nended by itself: %v\n%.4000s", typed, p.ProcessState, p.said)
			default:
			}
			return there()
		})
	}
	return p
}

// end presses Ctrl-C.
func (w *world) end(p *process) {
	w.t.Helper()
	if err := syscall.Kill(-p.Process.Pid, syscall.SIGINT); err != nil {
		w.t.Fatalf("%s ended before Ctrl-C: %v\n%.4000s", p, err, p.said)
	}
	select {
	case <-p.ended:
	case <-time.After(patience):
		w.t.Fatalf("%s: Ctrl-C does not end it\n%.4000s", p, p.said)
	}
	if s := p.ProcessState.ExitCode(); s != 0 && s != -1 && s != 128+int(syscall.SIGINT) {
		w.t.Fatalf("%s: exit status %d\n%.4000s", p, s, p.said)
	}
}

func (w *world) answers(url string) func() bool {
	return func() bool {
		r, err := http.Get(url) //nolint:noctx // a test's own
		if err != nil {
			return false
		}
		r.Body.Close()
		return r.StatusCode == http.StatusOK
	}
}

func (w *world) listens(address string) func() bool {
	return func() bool {
		c, err := net.Dial("tcp", address) //nolint:noctx // a test's own
		if err != nil {
			return false
		}
		c.Close()
		return true
	}
}

func (w *world) await(what string, there func() bool) {
	w.t.Helper()
	for until := time.Now().Add(patience); !there(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(until) {
			w.t.Fatalf("waited in vain for %s", what)
		}
	}
}

// output is what a process that stays has said.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(b)
}

func (o *output) Len() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Len()
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}
