package webhook

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
	"jobwatch/internal/relay"
	"jobwatch/internal/testing/slow"
)

// TestAnotherLanguage has a service on Node verify the signatures and read the events, by the libraries of Standard
// Webhooks and of CloudEvents.
func TestAnotherLanguage(t *testing.T) {
	slow.Test(t, "5 s", "npm installs what the receiver needs")
	port, received := nodeReceiver(t, secretOf("o"))
	c := Config{
		URL: "http://127.0.0.1:" + port, AllowHTTP: true,
		SecretFiles: []string{file(t, "new", secretOf("n")), file(t, "old", secretOf("o"))},
	}
	w := newWebhook(t, c)
	for _, client := range append(hostileTexts, "fall") {
		e := eventAbout(t, client)
		if done, err := w.Deliver(t.Context(), batchOf(e)); done != 1 {
			t.Fatalf("%q: %v", client, err)
		}
		if !received.Scan() {
			t.Fatal("the receiver is gone")
		}
		if got, want := read(t, received.Bytes()), read(t, e.Data); !reflect.DeepEqual(got, want) {
			t.Errorf("%q:\n got %v\nwant %v", client, got, want)
		}
	}
	c.SecretFiles = c.SecretFiles[:1]
	if _, err := newWebhook(t, c).Deliver(t.Context(), batchOf(eventAbout(t, "fall"))); kindOf(err) != relay.Away || !strings.Contains(err.Error(), "No matching signature found") {
		t.Errorf("without the secret that the receiver knows: %v", err)
	}
}

// eventAbout makes an event as the watcher does.
func eventAbout(t *testing.T, client string) *relay.Event {
	t.Helper()
	at := time.Date(2026, 11, 23, 14, 0, 0, 123_000_000, time.UTC)
	words := job.Text(client)
	o := job.Observation{Asked: at, Answered: at, Snapshot: job.Snapshot{
		CommCell: "prod", Number: 1248, State: "Failed", Client: words, Subclient: words, Agent: words, Reason: words, Operation: words, EndTime: &at,
	}}
	o.Snapshot.Settle()
	minted, err := event.NewMinter(nil).Job(3, job.Change{Kind: job.KindFailure, Detail: "state", From: "Running", To: "Failed"}, o, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	return relayed(t, minted)
}

func relayed(t *testing.T, e event.Event) *relay.Event {
	t.Helper()
	data, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	id, err := e.JobID()
	if err != nil {
		t.Fatal(err)
	}
	return &relay.Event{Sequence: 7, ID: e.ID, Job: id, Data: data}
}

func read(t *testing.T, data []byte) any {
	t.Helper()
	var read any
	if err := json.Unmarshal(data, &read); err != nil {
		t.Fatalf("%v: %s", err, data)
	}
	return read
}

// nodeReceiver starts testdata/node/receive.mjs, and gives the lines that it prints.
func nodeReceiver(t *testing.T, secret string) (port string, lines *bufio.Scanner) {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "node"))); err != nil {
		t.Fatal(err)
	}
	install := exec.CommandContext(t.Context(), "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
	node := exec.CommandContext(t.Context(), "node", "receive.mjs", secret)
	node.Dir, node.Stderr = dir, os.Stderr
	out, err := node.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = node.Process.Kill(); _ = node.Wait() })
	lines = bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	if !lines.Scan() {
		t.Fatal("the receiver does not start")
	}
	return lines.Text(), lines
}
