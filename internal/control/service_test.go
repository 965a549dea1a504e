package control

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"jobwatch/internal/job"
	"jobwatch/internal/store"
	"jobwatch/internal/stream"
)

// requests is a watcher that is asked over a real NATS server.
type requests struct {
	*watcher
	t   *testing.T
	dir string
	nc  *nats.Conn

	mu    sync.Mutex
	cells map[string]CommCell
}

func newRequests(t *testing.T, prefix string) *requests {
	t.Helper()
	r := &requests{watcher: newWatcher(t, filepath.Join(t.TempDir(), "watcher.db")), t: t, dir: filepath.Join(t.TempDir(), "nats")}
	r.cells = r.CommCells()
	r.CommCells = func() map[string]CommCell {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.cells
	}
	server, err := stream.StartEmbedded(stream.EmbeddedConfig{Listen: "127.0.0.1:0", Dir: r.dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	if r.nc, err = nats.Connect(server.ClientURL()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.nc.Close)
	broker := stream.New(stream.Config{URL: server.ClientURL(), Log: slog.New(slog.DiscardHandler)})
	var running sync.WaitGroup
	ctx := t.Context()
	running.Go(func() { broker.Run(ctx) })
	running.Go(func() { broker.Serve(ctx, Service(r.Admin, prefix, "v1.2.3")) })
	t.Cleanup(running.Wait)
	return r
}

// ask waits until somebody answers.
func (r *requests) ask(subject, request string) (answer []byte, code, text string) {
	r.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		m, err := r.nc.Request(subject, []byte(request), 30*time.Second)
		if err == nil {
			return m.Data, m.Header.Get(micro.ErrorCodeHeader), m.Header.Get(micro.ErrorHeader)
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("%s %s: %v", subject, request, err)
		}
	}
}

func TestRequests(t *testing.T) {
	r := newRequests(t, "acme")
	r.hold(1, 300)
	for _, row := range []struct{ subject, request, code, says string }{
		{"track", `{"job": 5000}`, "", `"tracked":"by hand"`},
		{"job", `{"job": 5000}`, "", `"id":5000`},
		{"untrack", `{"job": 5000}`, "", `"id":5000`},
		{"untrack", `{"job": 5000}`, "409", "prod/5000: not tracked"},
		{"untrack", `{"job": 71}`, "409", "prod/71: tracked by the configuration, watcher.yaml:9"},
		{"job", `{"job": 9999}`, "404", "prod/9999: no such job here"},
		{"job", ``, "400", "names no job"},
		{"job", `{"job": -1}`, "400", "names no job"},
		{"job", `{"jobs": 1}`, "400", "not a request"},
		{"job", `1248`, "400", "not a request"},
		{"job", `{"job": 1} {"job": 2}`, "400", "more than one value"},
		{"jobs", `{"class": ["fehlerhaft"]}`, "400", `class "fehlerhaft"`},
		{"jobs", `{"limit": 5000}`, "400", "limit must be"},
		{"jobs", `{"after": "x"}`, "400", "no job"},
		{"stats", ``, "", `"jobs":`},
	} {
		answer, code, text := r.ask("acme.jobwatch.prod."+row.subject, row.request)
		if code != row.code || !strings.Contains(text+string(answer), row.says) {
			t.Errorf("%s %s: %s %q %.100s, want %s %s", row.subject, row.request, code, text, answer, row.code, row.says)
		}
	}
	if len(r.polled) != 1 || r.polled[0] != of(5000) {
		t.Errorf("polled at once: %v", r.polled)
	}
}

// hold puts jobs from one number to another into the store, with machines that make each some 3 KiB.
func (r *requests) hold(from, to int64) {
	r.t.Helper()
	for number := from; number <= to; number++ {
		s := job.Snapshot{CommCell: "prod", Number: number, State: "Running", Machines: []job.VM{{Name: strings.Repeat("m", 3000)}}}
		if number%10 == 0 {
			s.State = "Failed"
		}
		r.see(s)
	}
}

func (r *requests) see(s job.Snapshot) {
	r.t.Helper()
	s.Settle()
	if err := r.Store.Track(store.ByHand, s.JobID()); err != nil {
		r.t.Fatal(err)
	}
	known, err := r.Store.Recall(s.JobID())
	if err != nil {
		r.t.Fatal(err)
	}
	if err := r.Store.Commit(store.PollResult{Known: known, Seen: job.Observation{Snapshot: s, Asked: time.Now(), Answered: time.Now()}}); err != nil {
		r.t.Fatal(err)
	}
}

func TestPagesOfJobs(t *testing.T) {
	r := newRequests(t, "")
	r.hold(1, 300)
	read := func(request string) (numbers []int64) {
		for after := int64(0); ; {
			page, code, text := r.ask("jobwatch.prod.jobs", fmt.Sprintf(request, after))
			if code != "" || len(page) >= 256<<10 {
				t.Fatalf("%s: %s %s, %d bytes", request, code, text, len(page))
			}
			var jobs []store.Listed
			if err := json.Unmarshal(page, &jobs); err != nil {
				t.Fatal(err)
			}
			if len(jobs) == 0 {
				return numbers
			}
			for _, l := range jobs {
				after = l.ID().Number
				numbers = append(numbers, after)
			}
		}
	}
	if got := read(`{"after": %d}`); len(got) != 300 || !slices.IsSorted(got) {
		t.Errorf("%d jobs: %v", len(got), got)
	}
	if got := read(`{"class": ["failed"], "after": %d, "limit": 7}`); len(got) != 30 {
		t.Errorf("%d failed jobs: %v", len(got), got)
	}
	if got := read(`{"class": ["killed"], "after": "prod/%d"}`); len(got) != 0 {
		t.Errorf("%d killed jobs: %v", len(got), got)
	}
}

func TestAJobThatIsTooLargeForAnAnswer(t *testing.T) {
	r := newRequests(t, "")
	s := job.Snapshot{CommCell: "prod", Number: 1248, State: "Running"}
	for range 3000 {
		s.Machines = append(s.Machines, job.VM{Name: strings.Repeat("m", 500)})
	}
	r.see(s)
	for _, subject := range []string{"jobwatch.prod.job", "jobwatch.prod.jobs"} {
		answer, code, text := r.ask(subject, map[bool]string{true: `{"job": 1248}`}[strings.HasSuffix(subject, "job")])
		if code != "" || len(answer) >= 256<<10 || !strings.Contains(string(answer), `"truncated":["machines"]`) {
			t.Errorf("%s: %s %s, %d bytes", subject, code, text, len(answer))
		}
	}
}

// What a user of the nats command sees with: nats micro ls
func TestTheServiceIsShown(t *testing.T) {
	r := newRequests(t, "")
	r.ask("jobwatch.prod.stats", "")
	var info micro.Info
	answer, _, _ := r.ask("$SRV.INFO.jobwatch", "")
	if err := json.Unmarshal(answer, &info); err != nil {
		t.Fatal(err)
	}
	var subjects []string
	for _, e := range info.Endpoints {
		subjects = append(subjects, e.Subject)
	}
	if got, want := strings.Join(subjects, " "), "jobwatch.prod.job jobwatch.prod.jobs jobwatch.prod.stats jobwatch.prod.track jobwatch.prod.untrack"; got != want || info.Version != "1.2.3" {
		t.Errorf("version %s, got %s, want %s", info.Version, got, want)
	}
}

func TestCommCellsComeAndGo(t *testing.T) {
	r := newRequests(t, "")
	r.ask("jobwatch.prod.stats", "")
	r.mu.Lock()
	r.cells = map[string]CommCell{"lab": {}}
	r.mu.Unlock()
	if _, code, _ := r.ask("jobwatch.lab.stats", ""); code != "" {
		t.Error(code)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if _, err := r.nc.Request("jobwatch.prod.stats", nil, time.Second); err != nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("a CommCell that is gone still answers")
		}
	}
}
