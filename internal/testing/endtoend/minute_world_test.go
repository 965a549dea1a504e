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

// ago is a simulated time of so many minutes before somebody looks.
func ago(minutes float64) time.Duration {
	return time.Duration(float64(minutePast-time.Duration(minutes*float64(time.Minute))) * minuteSpeed)
}

const (
	noMediaAgent = "The MediaAgent [ma-07] cannot be reached over the network."
	noDrive      = "No drive of the library is free. 4 jobs are before this one."
	noWindow     = "Outside the operation window. Next window begins at 20:00."
	noSnapshot   = "The snapshot of the machine could not be made: quiescing took longer than 900 seconds."
	noRoom       = "The datastore has no room for a snapshot."
)

// troubles are all that is wrong at prod, each job of a client of its own.
func (m *minute) troubles() (all []sim.Job) {
	add := func(kind sim.Kind, client string, began float64, steps ...sim.Step) {
		job := sim.Job{ID: int64(601 + len(all)), Kind: kind, Client: client, Steps: []sim.Step{{At: ago(began), State: "Running", Phase: "Scan"}}}
		all = append(all, sim.Job{ID: job.ID, Kind: kind, Client: client, Steps: append(job.Steps, steps...)})
	}
	backup := func(minutes float64) sim.Step { return sim.Step{At: ago(minutes), State: "Running", Phase: "Backup"} }
	for i, minutes := range []float64{5, 11, 17, 23, 31, 42, 53} {
		add(sim.FileSystem, fmt.Sprintf("sql-%02d", i+1), minutes+20, backup(minutes+15),
			sim.Step{At: ago(minutes + 4), State: "Pending", Phase: "Backup", Reason: noMediaAgent, Code: "13:138"},
			sim.Step{At: ago(minutes), State: "Failed", Reason: noMediaAgent, Code: "13:138"})
	}
	for i, client := range []string{"hr-portal", "build-07"} {
		minutes := []float64{12, 25}[i]
		add(sim.FileSystem, client, minutes+18, backup(minutes+10), sim.Step{At: ago(minutes + 2), State: "Kill Pending", Phase: "Backup"}, sim.Step{At: ago(minutes), State: "Killed"})
	}
	for i, client := range []string{"vcenter-north", "vcenter-south", "hyperv-lab"} {
		machines := make([]sim.VM, 12)
		for n := range machines {
			machines[n] = sim.VM{Name: fmt.Sprintf("%s-vm%02d", client, n+1)}
		}
		lost := append([]sim.VM{}, machines...)
		for n := range 1 << i {
			lost[3*n].Reason, lost[3*n].Failed = []string{noSnapshot, noRoom}[n%2], true
		}
		add(sim.VirtualServer, client, float64(40+i), sim.Step{At: ago(35), State: "Running", Phase: "Backup", VMs: machines},
			sim.Step{At: ago(20), State: "Running", Phase: "Backup", VMs: lost}, sim.Step{At: ago(float64(9 + 4*i)), State: "Completed w/ one or more errors", VMs: lost})
	}
	for i, client := range []string{"nas-archive", "exchange-02", "sap-prd", "fileserver-9"} {
		minutes := []float64{62, 58, 55, 48}[i]
		still := backup(minutes)
		still.Stalled = true
		add(sim.FileSystem, client, minutes+20, backup(minutes+12), still)
	}
	add(sim.FileSystem, "tape-copy-1", 80, backup(72), sim.Step{At: ago(66), State: "Pending", Phase: "Backup", Reason: noDrive, Code: "19:599"})
	add(sim.FileSystem, "oracle-rac", 60, backup(52), sim.Step{At: ago(47), State: "Pending", Phase: "Backup", Reason: noWindow, Code: "19:1131"})
	add(sim.FileSystem, "print-03", 30, backup(20), sim.Step{At: ago(8), State: "Pending", Phase: "Backup", Reason: noDrive, Code: "19:599"}) // not long yet
	add(sim.FileSystem, "crm-01", 88, backup(85), sim.Step{At: ago(78), State: "Failed", Reason: "The mount path is full: 3 GB are left, 20 GB are kept free.", Code: "7:75"})
	add(sim.FileSystem, "crm-01", 60, backup(55), sim.Step{At: ago(35), State: "Completed"}) // which makes up for it
	return all
}

// branchJobs are at the CommServe that falls silent: three run when it does.
func (m *minute) branchJobs() (all []sim.Job) {
	for i := range 12 {
		job := sim.Job{ID: int64(301 + i), Client: fmt.Sprintf("branch-%02d", i+1), Steps: []sim.Step{
			{At: ago(85), State: "Running", Phase: "Scan"}, {At: ago(75), State: "Running", Phase: "Backup"},
		}}
		if i >= 3 {
			job.Steps = append(job.Steps, sim.Step{At: ago(50 + float64(i)), State: "Completed"})
		}
		all = append(all, job)
	}
	return all
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

// watchThePast has both CommCells polled each minute of the past, into the store that the watcher goes on from.
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
			time.Sleep(time.Minute)
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
