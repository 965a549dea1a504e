package endtoend

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"jobwatch/internal/stream"
)

// serveNATS is the test binary as a NATS server: broker DIR ADDRESS SYNC. It ends with its standard input, so that
// it does not outlive a test that is killed.
func serveNATS() {
	config := stream.EmbeddedConfig{Dir: os.Args[1], Listen: os.Args[2], SyncAlways: os.Args[3] == "always", Log: slog.New(slog.DiscardHandler)}
	server, err := stream.StartEmbedded(config)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
	server.Close()
	os.Exit(0)
}

// natsProcess is a NATS server in a process of its own, which can be killed and paused, and set back to what it was.
type natsProcess struct {
	t       *testing.T
	random  *rand.Rand
	address string
	dir     string
	old     string // a copy of dir; empty until there is one

	child    *exec.Cmd // nil while it is stopped
	in       io.Closer
	restarts int
}

func newNATSProcess(t *testing.T, random *rand.Rand) *natsProcess {
	b := &natsProcess{t: t, random: random, address: keptAddress(t), dir: filepath.Join(t.TempDir(), "nats")}
	t.Cleanup(func() { b.kill() })
	b.start()
	return b
}

func (b *natsProcess) url() string { return "nats://" + b.address }

// start starts it if it is stopped.
func (b *natsProcess) start() {
	b.t.Helper()
	if b.child != nil {
		return
	}
	sync := []string{"always", "interval"}[b.random.IntN(2)]
	child := exec.Command("broker", b.dir, b.address, sync)
	in, err := child.StdinPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	out, err := child.StdoutPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.child, b.in = child, in
	b.restarts++
	line, err := bufio.NewReader(out).ReadString('\n')
	if line != "ready\n" {
		b.t.Fatalf("NATS does not start: %s %v", strings.TrimSpace(line), err)
	}
}

func (b *natsProcess) kill() {
	if b.child == nil {
		return
	}
	_ = b.child.Process.Kill()
	b.wait()
}

// stop has it end as an administrator does.
func (b *natsProcess) stop() {
	if b.child == nil {
		return
	}
	b.in.Close()
	b.wait()
}

func (b *natsProcess) wait() {
	_ = b.child.Wait()
	b.child = nil
}

func (b *natsProcess) pause()  { _ = b.child.Process.Signal(syscall.SIGSTOP) }
func (b *natsProcess) resume() { _ = b.child.Process.Signal(syscall.SIGCONT) }

// save keeps what a stopped broker holds.
func (b *natsProcess) save() {
	b.old = b.dir + ".old"
	if err := os.RemoveAll(b.old); err != nil {
		b.t.Fatal(err)
	}
	b.copy(b.old, b.dir)
}

// setBack has a stopped broker hold what it held when it was last saved, or nothing.
func (b *natsProcess) setBack() {
	b.empty()
	if b.old != "" {
		b.copy(b.dir, b.old)
	}
}

func (b *natsProcess) empty() {
	if err := os.RemoveAll(b.dir); err != nil {
		b.t.Fatal(err)
	}
}

func (b *natsProcess) copy(to, from string) {
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		b.t.Fatal(err)
	}
}
