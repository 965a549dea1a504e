package endtoend

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"jobwatch/internal/sim"
)

// TestOnNewStream has the stream made anew while the watcher is down: what it has told is sent again, or it goes on
// with what comes. Either way the sequences count on.
func TestOnNewStream(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		first, then string // on_new_stream of the first start and of the second; "": the default
		want        []string
	}{
		{"", "", []string{"1 state", "2 phase", "3 state"}},
		{"resend", "resend", []string{"1 state", "2 phase", "3 state"}},
		{"continue", "continue", []string{"3 state"}},
		{"", "continue", []string{"3 state"}}, // whoever finds the stream lost may still decide
	} {
		t.Run(fmt.Sprintf("%s,%s", row.first, row.then), func(t *testing.T) {
			t.Parallel()
			var now atomic.Int64
			play := sim.New(sim.Config{Clock: func() time.Duration { return time.Duration(now.Load()) }})
			play.Add(sim.Job{ID: 71, Client: "fall", Steps: []sim.Step{
				{State: "Running", Phase: "Scan"}, {At: time.Minute, State: "Completed"},
			}})
			w := newWorld(t, 1, play)
			w.onNewStream(row.first)
			w.start()
			w.until("it has told", func() bool { return len(w.read()) == 2 })
			w.acknowledged() // or it would send them to the new one whatever it is to do
			w.ends()
			if err := w.jetStream().DeleteStream(t.Context(), "JOBS"); err != nil {
				t.Fatal(err)
			}
			w.makeStream()
			w.onNewStream(row.then)
			w.start()
			now.Store(int64(time.Minute))
			w.until("the end is told", func() bool { return slices.ContainsFunc(w.brief(), isThird) })
			w.ends()
			if got := w.brief(); !slices.Equal(got, row.want) {
				t.Errorf("the stream holds %q, want %q", got, row.want)
			}
		})
	}
}

func isThird(event string) bool { return strings.HasPrefix(event, "3 ") }

func (w *world) onNewStream(setting string) {
	w.t.Helper()
	text, err := os.ReadFile(w.config)
	if err != nil {
		w.t.Fatal(err)
	}
	_, nats, _ := strings.Cut(string(text), "url: \"nats://")
	head, _, _ := strings.Cut(string(text), "nats: {")
	if setting != "" {
		setting = "on_new_stream: " + setting + ", "
	}
	if err := os.WriteFile(w.config, []byte(head+"nats: {"+setting+"url: \"nats://"+nats), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// ends stops the watcher as an administrator does.
func (w *world) ends() {
	w.t.Helper()
	if err := w.child.Process.Signal(syscall.SIGTERM); err != nil {
		w.t.Fatal(err)
	}
	if err := w.child.Wait(); err != nil {
		w.t.Fatalf("SIGTERM ends it with %v\n%s", err, tail(w.said.String()))
	}
}

// brief is the stream as "sequence kind".
func (w *world) brief() []string {
	w.t.Helper()
	var events []string
	for _, e := range w.read() {
		kind, _, _ := strings.Cut(e.what, ":")
		events = append(events, strings.TrimLeft(e.sequence, "0")+" "+kind)
	}
	return events
}
