package endtoend

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"jobwatch/internal/stream"
)

// process is a child whose cost is measured: Linux tells it in /proc.
type process struct {
	*exec.Cmd
	b testing.TB
}

func startProcess(b *testing.B, name string, args ...string) process {
	if _, err := os.Stat("/proc/self/status"); err != nil {
		b.Skip("what a process costs is read from /proc")
	}
	p := process{exec.Command(name, args...), b}
	p.Stderr = os.Stderr
	if err := p.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(p.stop)
	return p
}

func (p process) stop() {
	_ = p.Process.Signal(syscall.SIGTERM)
	if err := p.Wait(); err != nil {
		p.b.Error(p.Args, err)
	}
}

// cpu is the time the process has computed, the kernel's work for it included.
func (p process) cpu() time.Duration {
	_, fields, _ := strings.Cut(p.proc("stat"), ") ")
	user, system := strings.Fields(fields)[11], strings.Fields(fields)[12]
	return time.Duration(p.number(user)+p.number(system)) * time.Second / clockTicks
}

const clockTicks = 100 // a second; USER_HZ, the same on every architecture that Go knows

// memory is the process's own, the pages of files that it has mapped left out.
func (p process) memory() (bytes int64) {
	_, rest, _ := strings.Cut(p.proc("status"), "RssAnon:")
	line, _, _ := strings.Cut(rest, "kB")
	return p.number(strings.TrimSpace(line)) << 10
}

func (p process) proc(file string) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", p.Process.Pid, file))
	if err != nil {
		p.b.Fatal(err)
	}
	return string(bytes.TrimSpace(text))
}

func (p process) number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		p.b.Fatal(err)
	}
	return n
}

// surroundings are a CommServe and a NATS server in this process, and the watcher's configuration for them.
type surroundings struct {
	*herd
	url           string
	config, store string
	nats          *stream.Embedded
	natsDir       string
}

func newSurroundings(b *testing.B, jobs int64, commCell string) surroundings {
	herd := newHerd(b, jobs)
	s := surround(b, herd, commCell)
	s.herd = herd
	return s
}

func surround(b *testing.B, handler http.Handler, commCell string) surroundings {
	var s surroundings
	commServe := httptest.NewServer(handler)
	b.Cleanup(commServe.Close)
	dir := b.TempDir()
	var err error
	s.natsDir = filepath.Join(dir, "nats")
	s.nats, err = stream.StartEmbedded(stream.EmbeddedConfig{Listen: "127.0.0.1:0", Dir: s.natsDir})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(s.nats.Close)
	s.url, s.store, s.config = commServe.URL, filepath.Join(dir, "watcher.db"), filepath.Join(dir, "watcher.yaml")
	text := fmt.Sprintf(`
commcells:
  - name: prod
    url: %s
    auth: {token: QSDK}
%s
nats: {url: %q}
store: {path: %q}
http: {listen: ""}
log: {level: warn}
`, s.url, commCell, s.nats.ClientURL(), s.store)
	if err := os.WriteFile(s.config, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	return s
}

func waitFor(b *testing.B, what string, holds func() bool) {
	deadline := time.Now().Add(15 * time.Minute)
	for !holds() {
		if time.Now().After(deadline) {
			b.Fatalf("waited in vain: %s", what)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
