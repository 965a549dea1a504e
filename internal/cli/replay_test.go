package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
	"jobwatch/internal/stream"
)

// broker is a real NATS server with the stream, and a configuration that names it.
type broker struct {
	t      *testing.T
	nc     *nats.Conn
	js     jetstream.JetStream
	config string // its file
	minter *event.Minter
	count  uint64
}

func newBroker(t *testing.T, prefix string) *broker {
	t.Helper()
	dir := t.TempDir()
	server, err := stream.StartEmbedded(stream.EmbeddedConfig{Listen: "127.0.0.1:0", Dir: filepath.Join(dir, "nats")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	b := &broker{t: t, config: filepath.Join(dir, "watcher.yaml"), minter: event.NewMinter(nil)}
	if b.nc, err = nats.Connect(server.ClientURL()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.nc.Close)
	if b.js, err = jetstream.New(b.nc); err != nil {
		t.Fatal(err)
	}
	if _, err = b.js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "JOBS", Subjects: event.Subjects(prefix)}); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("nats: {url: %q, subject_prefix: %q}\nstore: {path: %q}\ncommcells:\n  - {name: prod, url: http://127.0.0.1:1, auth: {token: t}}\n",
		server.ClientURL(), prefix, filepath.Join(dir, "watcher.db"))
	if err := os.WriteFile(b.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return b
}

// tell publishes an event of job prod/1248, and gives its text.
func (b *broker) tell(prefix string, state job.Text, change job.Change) string {
	b.t.Helper()
	s := job.Snapshot{CommCell: "prod", Number: 1248, State: state, Client: "fall"}
	s.Settle()
	b.count++
	e, err := b.minter.Job(b.count, change, job.Observation{Snapshot: s, Answered: time.Now()}, time.Time{})
	if err != nil {
		b.t.Fatal(err)
	}
	text, err := json.Marshal(e)
	if err != nil {
		b.t.Fatal(err)
	}
	subject := fmt.Sprintf("jobs.prod.1248.fall.%s.%s", change.Kind, change.Detail)
	if prefix != "" {
		subject = prefix + "." + subject
	}
	if _, err := b.js.Publish(b.t.Context(), subject, text); err != nil {
		b.t.Fatal(err)
	}
	return string(text)
}

func (b *broker) state(to job.Text) string {
	return b.tell("", to, job.Change{Kind: job.KindState, Detail: job.Slug(to), To: to})
}

// watcher runs a command line, and gives its status and what it printed.
func (b *broker) watcher(args ...string) (status int, out, errs string) {
	b.t.Helper()
	var stdout, stderr bytes.Buffer
	ctx, cancel := context.WithTimeout(b.t.Context(), 2*time.Minute)
	defer cancel()
	status = Execute(ctx, append(args, "-c", b.config), strings.NewReader(""), &stdout, &stderr)
	return status, stdout.String(), stderr.String()
}

func TestReplay(t *testing.T) {
	b := newBroker(t, "")
	running, failed := b.state("Running"), b.state("Failed")
	failure := b.tell("", "Failed", job.Change{Kind: job.KindFailure, Detail: job.DetailState, To: "Failed"})

	status, out, errs := b.watcher("replay", "--since", "1h")
	if want := running + "\n" + failed + "\n" + failure + "\n"; status != done || out != want {
		t.Errorf("all: status %d, %s\n%q", status, errs, out)
	}
	status, out, _ = b.watcher("replay", "--since", "1h", "--subject", "jobs.*.*.*.failure.>", "--subject", "jobs.prod.*.*.failure.state")
	if status != done || out != failure+"\n" {
		t.Errorf("one within another: status %d, %q", status, out)
	}
	if status, out, errs = b.watcher("replay", "--since", time.Now().Add(time.Hour).Format(time.RFC3339)); status != done || out != "" {
		t.Errorf("nothing: status %d, %q, %q", status, out, errs)
	}
}

func TestReplayToASubject(t *testing.T) {
	b := newBroker(t, "acme")
	text := b.tell("acme", "Running", job.Change{Kind: job.KindState, Detail: "running", To: "Running"})
	sub, err := b.nc.SubscribeSync("replay.>")
	if err != nil {
		t.Fatal(err)
	}
	if status, out, errs := b.watcher("replay", "--since", "1h", "--subject", "jobs.>", "--to", "replay.it"); status != done || out != "" || !strings.Contains(errs, "1 events published") {
		t.Fatalf("status %d, %q, %q", status, out, errs)
	}
	m, err := sub.NextMsg(time.Minute)
	if err != nil || string(m.Data) != text || m.Header.Get("Jobwatch-Replayed") != "true" || m.Subject != "replay.it" {
		t.Errorf("%v: %+v", err, m)
	}
	is, err := b.js.Stream(t.Context(), "JOBS")
	if err != nil || is.CachedInfo().State.Msgs != 1 {
		t.Errorf("%v: the stream has %d messages", err, is.CachedInfo().State.Msgs)
	}
	for _, args := range [][]string{
		{"--to", "acme.jobs.prod.1.-.state.x"}, {"--to", "acme.relays.ops.state"}, {"--to", "$JS.API.STREAM.DELETE.JOBS"}, {"--to", "a.*"},
		{"--to", "a b"}, {"--subject", "acme.jobs.>"}, {"--subject", "jobs..>"}, {"--since", "yesterday"}, {"--since", ""},
	} {
		if status, _, errs := b.watcher(append([]string{"replay", "--since", "1h"}, args...)...); status != wrong {
			t.Errorf("%v: status %d, %q", args, status, errs)
		}
	}
}
