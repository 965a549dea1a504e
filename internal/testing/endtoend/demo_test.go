package endtoend

import (
	"bufio"
	"cmp"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"jobwatch/internal/testing/eventtest"
	"jobwatch/internal/testing/slow"
)

// TestDemo runs the README's first command until it has shown an event of each kind, also with NATS's
// port taken, and ends it with Ctrl-C.
func TestDemo(t *testing.T) {
	slow.Test(t, "2 s", "the demo runs as a person starts it")
	if listener, err := net.Listen("tcp", "127.0.0.1:4222"); err == nil {
		defer listener.Close()
	}
	temp := t.TempDir()
	demo := exec.CommandContext(t.Context(), "watcher", "demo", "--speed", "20")
	demo.Env = append(os.Environ(), "TMPDIR="+temp)
	var said strings.Builder
	demo.Stderr = &said
	out, err := demo.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := demo.Start(); err != nil {
		t.Fatal(err)
	}
	missing := []string{"The page is at http://127.0.0.1:", "nats --server nats://127.0.0.1:", "state ", "phase ", "failure.", "Completed"}
	lines := bufio.NewScanner(out)
	address := ""
	for len(missing) > 0 && lines.Scan() {
		missing = without(missing, lines.Text())
		address = cmp.Or(address, regexp.MustCompile(`nats://[0-9.:]+[0-9]`).FindString(lines.Text()))
	}
	if len(missing) > 0 {
		t.Fatalf("ended without having shown %q\n%s", missing, said.String())
	}
	events := held(t, address)
	if err := demo.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	last := ""
	for lines.Scan() {
		last = lines.Text()
	}
	if err := demo.Wait(); err != nil || !strings.Contains(last, "nothing is left behind") {
		t.Errorf("Ctrl-C ends it with %v and %q\n%s", err, last, said.String())
	}
	for _, m := range events {
		eventtest.Valid(t, m.Subject(), m.Headers(), m.Data())
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	if said.Len() > 0 {
		t.Errorf("logged:\n%s", said.String())
	}
}

func without(words []string, line string) []string {
	var left []string
	for _, word := range words {
		if !strings.Contains(line, word) {
			left = append(left, word)
		}
	}
	return left
}

// held is whatever a stream has by now.
func held(t *testing.T, url string) []jetstream.Msg {
	t.Helper()
	nc, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	consumer, err := js.OrderedConsumer(t.Context(), "JOBS", jetstream.OrderedConsumerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	batch, err := consumer.Fetch(int(consumer.CachedInfo().NumPending), jetstream.FetchMaxWait(10*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	var all []jetstream.Msg
	for m := range batch.Messages() {
		all = append(all, m)
	}
	if err := batch.Error(); err != nil || len(all) == 0 {
		t.Fatalf("%d messages in the stream (%v)", len(all), err)
	}
	return all
}
