package endtoend

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"jobwatch/internal/commvault"
	"jobwatch/internal/config"
	"jobwatch/internal/event"
	"jobwatch/internal/poller"
	"jobwatch/internal/sim"
	"jobwatch/internal/store"
	"jobwatch/internal/store/storetest"
)

const (
	minuteJobs  = 5000             // that the CommServe knows when somebody looks
	minutePast  = 90 * time.Minute // that the watcher has watched by then
	minuteSpeed = 1. / 20          // jobs live 10 to 40 minutes
	branchEnds  = 40 * time.Minute // before somebody looks
)

// minute is a busy CommServe with troubles that are known, another that has fallen silent, and a watcher that has followed
// both for 90 minutes: those on fake time, with the real poller and store. Then it is a process, with its own NATS.
type minute struct {
	t            *testing.T
	dir          string
	looked       time.Time // when somebody begins to look
	frozen       atomic.Bool
	prod, branch *sim.Sim
	pager, cmdb  *post
	config       string
	commServe    string
	nats         string
	page         string
	child        *exec.Cmd
	said         log
}

// post is where a relay delivers to. It takes its time.
type post struct {
	*httptest.Server
	takes time.Duration
	came  atomic.Int64
	over  chan struct{}
}

func newPost(t *testing.T, takes time.Duration) *post {
	p := &post{takes: takes, over: make(chan struct{})}
	p.Server = httptest.NewServer(p)
	t.Cleanup(func() {
		close(p.over)
		p.Close()
	})
	return p
}

func (p *post) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	select {
	case <-time.After(p.takes):
		p.came.Add(1)
		w.WriteHeader(http.StatusNoContent)
	case <-p.over:
	case <-r.Context().Done():
	}
}

func newMinute(t *testing.T) *minute {
	m := &minute{t: t, dir: t.TempDir(), looked: time.Now().Round(0), pager: newPost(t, 0), cmdb: newPost(t, 10*time.Second)}
	m.frozen.Store(true)
	began := m.looked.Add(-minutePast)
	of := sim.Config{Seed: 7, Calm: true, Speed: minuteSpeed, Start: began, NoRecord: true, Clock: func() time.Duration {
		since := time.Now().Round(0).Sub(began)
		if m.frozen.Load() {
			since = min(since, minutePast) // a truth that holds still
		}
		return time.Duration(float64(since) * minuteSpeed)
	}}
	known := m.troubles()
	m.branch = sim.New(of)
	for _, job := range m.branchJobs() {
		m.branch.Add(job)
	}
	of.GUID, of.Jobs = "5EED0000-0000-4000-8000-000000000007", 600
	of.Arrivals = float64(minuteJobs-of.Jobs-len(known)) / (minutePast.Seconds() * minuteSpeed)
	m.prod = sim.New(of)
	for _, job := range known {
		m.prod.Add(job)
	}
	m.configure()
	m.watchThePast(began)
	return m
}

const minuteConfig = `
commcells:
  - name: prod
    url: %s/webconsole/api
    auth: {username: watcher, password: watcher}
    schedule: "@every 15s"
  - name: branch
    url: http://%s/webconsole/api
    auth: {username: watcher, password: watcher}
    schedule: "@every 15s"
nats: {embedded: {listen: %q, dir: %q, sync: interval}}
store: {path: %q}
http: {listen: %q}
relays:
  - name: pager
    match: {severity: [warning, error]}
    start: all
    webhook: {url: "%s/page", allow: [127.0.0.1], allow_http: true}
  - name: cmdb
    subjects: ["jobs.*.*.*.state.>"]
    start: all
    timeout: 2m
    webhook: {url: "%s/jobs", allow: [127.0.0.1], allow_http: true}
`

func (m *minute) configure() {
	commServe := httptest.NewServer(m.prod.Control())
	m.t.Cleanup(commServe.Close)
	nobody, page := keptAddress(m.t), keptAddress(m.t)
	m.commServe, m.nats, m.page = commServe.URL, keptAddress(m.t), "http://"+page+"/"
	m.config = filepath.Join(m.dir, "watcher.yaml")
	text := fmt.Sprintf(minuteConfig, m.commServe, nobody, m.nats, filepath.Join(m.dir, "nats"), filepath.Join(m.dir, "watcher.db"), page, m.pager.URL, m.cmdb.URL)
	if err := os.WriteFile(m.config, []byte(text), 0o600); err != nil {
		m.t.Fatal(err)
	}
}

// watchThePast has both CommCells polled every three minutes of the past, into the store that the watcher goes on from.
func (m *minute) watchThePast(began time.Time) {
	cfg, err := config.Load(m.config)
	if err != nil {
		m.t.Fatal(err)
	}
	synctest.Test(m.t, func(t *testing.T) {
		time.Sleep(time.Until(began))
		st, err := store.Open(cfg.Store.Path, event.NewMinter(nil))
		if err != nil {
			t.Fatal(err)
		}
		defer st.Close()
		storetest.NoSync(st)
		pollers := []*poller.Poller{
			minutePoller(t, st, cfg.CommCells[0], m.prod.Inside()),
			minutePoller(t, st, cfg.CommCells[1], until{m.branch.Inside(), m.looked.Add(-branchEnds)}),
		}
		for time.Now().Before(m.looked) {
			for _, p := range pollers {
				if err := p.Cycle(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(3 * time.Minute)
		}
	})
}

func minutePoller(t *testing.T, st *store.Store, cell config.CommCell, network http.RoundTripper) *poller.Poller {
	client, err := commvault.New(commvault.Config{CommCell: cell.Name, URL: cell.URL, Username: cell.Auth.Username, Password: cell.Auth.Password, Transport: network})
	if err != nil {
		t.Fatal(err)
	}
	schedule, err := config.ParseSchedule(cell.Schedule)
	if err != nil {
		t.Fatal(err)
	}
	return poller.New(poller.Config{
		CommCell: cell.Name, Source: client, Store: st, Schedule: schedule, Discover: true, FinishedWithin: 5 * time.Minute, Sweep: poller.Sweep(cell.Sweep),
		FullRefresh: cell.FullRefresh, KeepFinished: cell.KeepFinished, Concurrency: cell.Concurrency, StallAfter: cell.StallAfter, LostAfter: cell.LostAfter,
		Identify: client.GUID, Log: slog.New(slog.DiscardHandler),
	})
}

// until is a network that somebody pulls the plug of.
type until struct {
	http.RoundTripper
	time.Time
}

func (u until) RoundTrip(r *http.Request) (*http.Response, error) {
	if time.Now().After(u.Time) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	return u.RoundTripper.RoundTrip(r)
}

// start runs the watcher until the test ends. JOBWATCH_MINUTE_WATCHER names another program than the one that is tested.
func (m *minute) start() {
	program := os.Getenv("JOBWATCH_MINUTE_WATCHER")
	if program == "" {
		program = "watcher"
	}
	ctx, stop := context.WithCancel(context.Background())
	m.child = exec.CommandContext(ctx, program, "run", "-c", m.config)
	m.child.Cancel = func() error { return m.child.Process.Signal(syscall.SIGTERM) }
	m.child.Stderr = &m.said
	if err := m.child.Start(); err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() {
		stop()
		_ = m.child.Wait()
		if m.t.Failed() {
			m.t.Logf("the watcher said:\n%s", tail(m.said.String()))
		}
	})
}

func (m *minute) jetStream() jetstream.JetStream {
	nc, err := nats.Connect("nats://" + m.nats)
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		m.t.Fatal(err)
	}
	return js
}

func (m *minute) until(what string, holds func() bool) {
	m.t.Helper()
	for deadline := time.Now().Add(3 * time.Minute); !holds(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			m.t.Fatalf("waited in vain: %s\n%s", what, strings.TrimSpace(tail(m.said.String())))
		}
	}
}
