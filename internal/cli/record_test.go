package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"jobwatch/internal/record"
	"jobwatch/internal/sim"
	"jobwatch/internal/testing/slow"
)

// TestRecordAndReplay records a CommServe, plays the record over HTTP, and records that once more: the same jobs have gone
// through the same.
func TestRecordAndReplay(t *testing.T) {
	slow.Test(t, "8 s", "two processes' worth of polling, over HTTP")
	t.Parallel()
	dir := t.TempDir()
	server := httptest.NewServer(sim.New(sim.Config{Jobs: 8, Speed: 20, NoRecord: true}))
	defer server.Close()
	first := recordUntilDone(t, dir, "first", fmt.Sprintf(recordedConfig, server.URL))
	replayed := replaying(t, filepath.Join(dir, "first"))
	again := recordUntilDone(t, dir, "again", replayed)
	if first != again {
		t.Errorf("first\n%s\nand again\n%s", first, again)
	}
}

const recordedConfig = `
commcells:
  - name: prod
    url: %s/webconsole/api
    auth: {username: watcher, password: watcher}
    schedule: "@every 1s"
`

// recordUntilDone records until all jobs have ended, and says what they went through.
func recordUntilDone(t *testing.T, dir, name, config string) string {
	t.Helper()
	file, into := filepath.Join(dir, name+".yaml"), filepath.Join(dir, name)
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var out, errs bytes.Buffer
	ended := make(chan int, 1)
	go func() { ended <- Execute(ctx, []string{"record", into, "-c", file, "--for", "0"}, nil, &out, &errs) }()
	for ctx.Err() == nil && strings.Count(transitions(t, into), "has ended") < 8 {
		time.Sleep(50 * time.Millisecond)
	}
	cancel()
	if status := <-ended; status != done || !strings.Contains(out.String(), "watcher inspect "+into) {
		t.Fatalf("status %d: %s%s", status, &out, &errs)
	}
	return transitions(t, into)
}

// transitions are what watcher inspect shows of the first jobs, as far as they have ended.
func transitions(t *testing.T, dir string) string {
	t.Helper()
	if !record.IsRecord(dir) {
		return ""
	}
	var all strings.Builder
	for number := 1001; number <= 1008; number++ {
		var out bytes.Buffer
		Execute(t.Context(), []string{"inspect", dir, fmt.Sprint(number)}, nil, &out, io.Discard)
		for line := range strings.Lines(out.String()) {
			if strings.HasPrefix(line, "{") {
				fmt.Fprintf(&all, "%d %s", number, line)
			}
			if strings.Contains(line, `"kind":"state"`) && (strings.Contains(line, `"to":"Completed`) || strings.Contains(line, `"to":"Failed`) || strings.Contains(line, `"to":"Killed`) || strings.Contains(line, `"to":"Committed`)) {
				all.WriteString("has ended\n")
			}
		}
	}
	return all.String()
}

// replaying serves a record until the test ends, and gives the configuration that it prints.
func replaying(t *testing.T, dir string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out := &firstWords{first: make(chan string, 1)}
	ended := make(chan int, 1)
	go func() {
		ended <- Execute(ctx, []string{"sim", "--replay", dir, "--listen", "127.0.0.1:0"}, nil, out, io.Discard)
	}()
	t.Cleanup(func() {
		cancel()
		if status := <-ended; status != done {
			t.Errorf("sim --replay ends with status %d", status)
		}
	})
	select {
	case config := <-out.first:
		return config
	case <-time.After(time.Minute):
		t.Fatal("sim --replay prints nothing")
		return ""
	}
}

// firstWords passes on what is written first.
type firstWords struct {
	once  sync.Once
	first chan string
}

func (w *firstWords) Write(p []byte) (int, error) {
	w.once.Do(func() { w.first <- string(p) })
	return len(p), nil
}
