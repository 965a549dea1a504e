package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
	"jobwatch/internal/stream"
)

// told is a NATS server with a stream, and a configuration that names it.
type told struct {
	js     jetstream.JetStream
	config string
	minter *event.Minter
	number uint64
}

func newTold(t *testing.T) *told {
	t.Helper()
	server, err := stream.StartEmbedded(stream.EmbeddedConfig{Listen: "127.0.0.1:0", Dir: filepath.Join(t.TempDir(), "nats")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	nc, err := nats.Connect(server.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	s := &told{config: filepath.Join(t.TempDir(), "watcher.yaml"), minter: event.NewMinter(nil)}
	if s.js, err = jetstream.New(nc); err != nil {
		t.Fatal(err)
	}
	_, err = s.js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "JOBS", Subjects: []string{"jobs.>", "commcells.>"}, MaxAge: 720 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("commcells: [{name: prod, url: \"http://127.0.0.1:1\", auth: {token: x}}]\nnats: {url: %q}\nstore: {path: none/watcher.db}\n", server.ClientURL())
	if err := os.WriteFile(s.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

// tell publishes an event of job prod/1248, which is then in a state.
func (s *told) tell(t *testing.T, change, state string) {
	t.Helper()
	kind, detail, _ := strings.Cut(change, ".")
	o := job.Observation{Snapshot: job.Snapshot{CommCell: "prod", Number: 1248, State: job.Text(state)}, Answered: time.Now()}
	if state == "Geht so" {
		o.Snapshot.EndTime = new(time.Now())
	}
	o.Snapshot.Settle()
	s.number++
	e, err := s.minter.Job(s.number, job.Change{Kind: kind, Detail: detail, To: job.Text(state)}, o, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.js.Publish(t.Context(), "jobs.prod.1248.fall."+change, data); err != nil {
		t.Fatal(err)
	}
}

func TestWaitStatus(t *testing.T) {
	for _, row := range []struct {
		name          string
		before, after []string // events: change, a space, the state that the job is in
		words         []string
		status        int
		says          string
	}{
		{"has ended", []string{"state.running Running", "state.completed Completed"}, nil, nil, 0, "prod/1248: Completed\n"},
		{"ends", []string{"state.running Running"}, []string{"phase.scan Running", "state.completed Completed"}, nil, 0, "prod/1248: Completed\n"},
		{"is waited for", nil, []string{"state.running Running", "state.completed Completed"}, nil, 0, "prod/1248: Completed\n"},
		{"partial", nil, []string{"state.completed_with_errors Completed w/ one or more errors"}, nil, 3, "prod/1248: Completed w/ one or more errors\n"},
		{"failed", nil, []string{"state.failed Failed"}, nil, 4, "prod/1248: Failed\n"},
		{"killed", []string{"state.killed Killed"}, nil, nil, 5, "prod/1248: Killed\n"},
		{"lost", []string{"state.running Running"}, []string{"watch.lost Running"}, nil, 6, "prod/1248: lost: the CommServe does not know the job any more\n"},
		{"was lost", []string{"state.running Running", "watch.lost Running"}, nil, nil, 6, "prod/1248: lost: the CommServe does not know the job any more\n"},
		{"was found again", []string{"watch.lost Running", "state.suspended Suspended"}, []string{"state.failed Failed"}, nil, 4, "prod/1248: Failed\n"},
		{"was found again in the same state", []string{"state.running Running", "watch.lost Running", "phase.scan Running"}, []string{"state.failed Failed"}, nil, 4, "prod/1248: Failed\n"},
		{"ended in a state of its own", nil, []string{"state.geht_so Geht so"}, nil, 1, "prod/1248: Geht so\n"},
		{"stalls on the way", nil, []string{"watch.stalled Running", "state.completed Completed"}, nil, 0, "prod/1248: Completed\n"},
		{"a state", []string{"state.running Running"}, []string{"state.suspended Suspended"}, []string{"--until", "suspended"}, 0, "prod/1248: Suspended\n"},
		{"a state it is in", []string{"state.running Running"}, nil, []string{"--until", "running"}, 0, "prod/1248: Running\n"},
		{"another end than the state", nil, []string{"state.failed Failed"}, []string{"--until", "completed"}, 4, "prod/1248: Failed, without having been seen in state completed\n"},
		{"a good end, and not the state", nil, []string{"state.completed Completed"}, []string{"--until", "suspended"}, 0, "prod/1248: Completed, without having been seen in state suspended\n"},
		{"a failed end that was asked for", nil, []string{"state.failed Failed"}, []string{"--until", "failed"}, 0, "prod/1248: Failed\n"},
		{"time", []string{"state.running Running"}, nil, []string{"--timeout", "1s"}, 7, "prod/1248: time is up; it is \"Running\"\n"},
		{"time, and nothing told", nil, nil, []string{"--timeout", "1s"}, 7, "prod/1248: time is up; nothing was told of it yet\n"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := newTold(t)
			s.all(t, row.before)
			var out, errs watched
			ended := make(chan int, 1)
			go func() {
				ended <- Execute(t.Context(), append([]string{"wait", "prod/1248", "-c", s.config}, row.words...), nil, &out, &errs)
			}()
			if len(row.after) > 0 {
				if len(row.before) > 0 {
					out.await(t, "prod/1248") // what was told before
				}
				s.all(t, row.after)
			}
			if status := <-ended; status != row.status {
				t.Errorf("status %d, want %d", status, row.status)
			}
			said := &errs
			if row.status == 0 {
				said = &out
			}
			if !strings.HasSuffix(said.String(), row.says) {
				t.Errorf("got  %q\nwant …%q", said.String(), row.says)
			}
			if row.status == 0 && errs.String() != "" {
				t.Errorf("beside a good end: %q", errs.String())
			}
		})
	}
}

func (s *told) all(t *testing.T, events []string) {
	for _, e := range events {
		change, state, _ := strings.Cut(e, " ")
		s.tell(t, change, state)
	}
}

func TestWaitRefuses(t *testing.T) {
	s := newTold(t)
	for _, row := range []struct {
		words  string
		status int
		says   string
	}{
		{"wait 1248", 2, "prod/1248"},
		{"wait prod/1248 --until Completed", 2, `--until "Completed": wants terminal, or a state as in the subjects: completed`},
		{"wait prod/1248 --until a.b", 2, "wants terminal"},
		{"wait prod/1248 --timeout -1s", 2, "--timeout -1s: wants 0 or more"},
		{"wait other/1 --track", 1, `no CommCell "other"`},
	} {
		var out, errs bytes.Buffer
		status := Execute(t.Context(), append(strings.Fields(row.words), "-c", s.config), nil, &out, &errs)
		if status != row.status || !strings.Contains(errs.String(), row.says) || errs.Len() == 0 {
			t.Errorf("%s: status %d, %q", row.words, status, errs.String())
		}
	}
}

// watched is an output that can be looked at while it is written.
type watched struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

func (w *watched) await(t *testing.T, text string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !strings.Contains(w.String(), text); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%q was never printed: %q", text, w.String())
		}
	}
}
