package endtoend

import (
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"jobwatch/internal/config"
	"jobwatch/internal/daemon"
	"jobwatch/internal/sim"
	"jobwatch/internal/stream"
	"jobwatch/internal/testing/slow"
)

// TestFaults has each thing go wrong alone that the simulator can play, and then all of them at once: no event that
// its record does not justify, and none missing once it is well again. JOBWATCH_SEED repeats a mix.
func TestFaults(t *testing.T) {
	slow.Test(t, "2 min", "each kind of fault that the simulator knows is played against the real program, and the stream judged")
	server, err := stream.StartEmbedded(stream.EmbeddedConfig{Listen: "127.0.0.1:0", Dir: filepath.Join(t.TempDir(), "nats")})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	var all errgroup.Group
	all.SetLimit(atOnce)
	for _, trouble := range troubles(t) {
		all.Go(func() error {
			t.Run(trouble.name, func(t *testing.T) { trouble.isSurvived(t, server.ClientURL()) })
			return nil
		})
	}
	_ = all.Wait()
}

// atOnce so many troubles: they mostly wait, and yet a slow machine is not to starve one until its answers are late.
const atOnce = 10

// trouble is what goes wrong at one CommServe.
type trouble struct {
	name   string
	faults []sim.Fault
	format string
	seed   int64
}

func troubles(t *testing.T) []trouble {
	all := []trouble{
		{name: "the list alone", faults: mixed(sim.OpList, 0.04), format: "json"},
		{name: "the list alone, XML", faults: mixed(sim.OpList, 0.04), format: "xml"},
	}
	for i, kind := range sim.FaultKinds() {
		alone := trouble{name: string(kind), faults: []sim.Fault{fault(kind, often(kind))}, format: "json", seed: int64(i)}
		if kind == sim.Doctype {
			alone.format = "xml"
		}
		if befallsLogins(kind) {
			alone.faults = append(alone.faults, fault(sim.TokenRevoked, 0.05)) // or there is but one login
		}
		all = append(all, alone)
	}
	for i, seed := range seeds(t) {
		format := []string{"json", "xml"}[i%2]
		all = append(all, trouble{fmt.Sprintf("all at once, %s, JOBWATCH_SEED=%d", format, seed), mixed("", 0.01), format, seed})
	}
	return all
}

func seeds(t *testing.T) []int64 {
	text := os.Getenv("JOBWATCH_SEED")
	if text == "" {
		now := time.Now().UnixNano()
		return []int64{now, now + 1, now + 2, now + 3}
	}
	seed, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatalf("JOBWATCH_SEED: %v", err)
	}
	return []int64{seed, seed}
}

// timeout is short where questions about jobs hang. Elsewhere none is to run into it, however busy the machine: the
// simulator would not know that its answer was not waited for.
func (c trouble) timeout() string {
	for _, f := range c.faults {
		if f.Kind == sim.Hang && f.Op != sim.OpList {
			return "10s"
		}
	}
	return "30s"
}

func befallsLogins(kind sim.FaultKind) bool {
	return kind.Befalls(sim.OpLogin) && !kind.Befalls(sim.OpJobDetails)
}

// often is a rate at which there are many, and yet most requests of a cycle go well. Some take time, or have all
// requests wait.
func often(kind sim.FaultKind) float64 {
	switch kind {
	case sim.Hang, sim.Unavailable, sim.TooMany:
		return 0.02
	case sim.Huge, sim.GzipBomb, sim.Deep, sim.TokenRevoked:
		return 0.05
	case sim.Stale:
		return 0.3
	default:
		if befallsLogins(kind) {
			return 0.5
		}
		return 0.15
	}
}

func fault(kind sim.FaultKind, rate float64) sim.Fault {
	f := sim.Fault{Kind: kind, Rate: rate}
	if kind == sim.Slow {
		f.Delay = 300 * time.Millisecond
	}
	return f
}

// mixed are all kinds that can befall an operation; "" is any.
func mixed(op sim.Op, rate float64) (all []sim.Fault) {
	for _, kind := range sim.FaultKinds() {
		if op != "" && !kind.Befalls(op) {
			continue
		}
		f := fault(kind, min(rate, often(kind)/4))
		if befallsLogins(kind) {
			f.Rate = 0.1
		}
		f.Op = op
		all = append(all, f)
	}
	return all
}

const (
	generatedJobs = 30
	troubledFor   = 270                    // requests, some eight cycles'
	aRequest      = 250 * time.Millisecond // of the jobs' lives
)

// scripted are jobs in which all happens that is told of one. The first three are polled after their ends, too.
var scripted = []sim.Job{
	{ID: 71, Client: "fall.example.com", Steps: []sim.Step{
		{State: "Waiting"},
		{At: 5 * time.Second, State: "Running", Phase: "Scan"},
		{At: 10 * time.Second, State: "Running", Phase: "Backup", Failures: "0 Folders, 2 Files"},
		{At: 15 * time.Second, State: "Running", Phase: "Backup", Failures: "1 Folders, 7 Files"},
		{At: 20 * time.Second, State: "Pending", Phase: "Backup", Failures: "1 Folders, 7 Files", Reason: "No drive for 5 minutes.", Code: "40:91"},
		{At: 25 * time.Second, State: "Pending", Phase: "Backup", Failures: "1 Folders, 7 Files", Reason: "No drive for 9 minutes.", Code: "40:91"},
		{At: 30 * time.Second, State: "Running", Phase: "Archive Index", Failures: "1 Folders, 7 Files"},
		{At: 40 * time.Second, State: "Completed w/ one or more errors", Failures: "1 Folders, 7 Files"},
	}},
	{ID: 72, Kind: sim.VirtualServer, Client: "vc 1", Steps: []sim.Step{
		{At: 10 * time.Second, State: "Running", Phase: "Discover", VMs: []sim.VM{{Name: "a"}, {Name: "b"}, {Name: "c"}}},
		{At: 20 * time.Second, State: "Running", Phase: "Backup", VMs: []sim.VM{{Name: "a", Reason: "No snapshot."}, {Name: "b"}, {Name: "c"}}},
		{At: 30 * time.Second, State: "Running", Phase: "Backup", VMs: []sim.VM{{Name: "a", Reason: "No snapshot."}, {Name: "b", Reason: "Locked."}, {Name: "c"}}},
		{At: 45 * time.Second, State: "Failed", VMs: []sim.VM{{Name: "a", Reason: "No snapshot."}, {Name: "b", Reason: "Locked."}, {Name: "c", Reason: "Gone."}}},
	}},
	{ID: 73, Client: "spring", Steps: []sim.Step{
		{At: 15 * time.Second, State: "Running", Phase: "Scan"},
		{At: 22 * time.Second, State: "Suspended", Phase: "Scan", Reason: "By admin.", Code: "19:579"},
		{At: 35 * time.Second, State: "Kill Pending", Phase: "Scan"},
		{At: 42 * time.Second, State: "Killed"},
	}},
	{ID: 74, Kind: sim.DisasterRecovery, Steps: []sim.Step{{At: 95 * time.Second, State: "Failed to Start", Reason: "No library.", Code: "62:468"}}},
}

// isSurvived has a watcher follow jobs while things go wrong, then has all be well, and judges.
func (c trouble) isSurvived(t *testing.T, natsURL string) {
	p := newPatient(t, c, natsURL)
	for _, f := range c.faults {
		p.sim.Fault(f)
	}
	p.start()
	p.until("much has been asked, and gone wrong", func() bool {
		p.restartIfRefused()
		return p.clock.asked.Load() >= troubledFor && p.struck.Load() > 0
	}, nil)
	p.sim.Heal()
	p.clock.run(15)
	p.until("every job's end is seen", func() bool {
		p.restartIfRefused()
		return allEnded(p.sim.Served(), generatedJobs+len(scripted))
	}, nil)
	var found verdict
	p.until("the stream is complete", func() bool {
		found = judge(t, p.sim.Served(), p.stops, p.read())
		return found.clean()
	}, func() string { return found.String() })
	p.stop()
	if found = judge(t, p.sim.Served(), p.stops, p.read()); !found.clean() {
		t.Errorf("after the stop: %s", found)
	}
	t.Logf("%d requests, %d went wrong, %d restarts, %s", p.clock.asked.Load(), p.struck.Load(), len(p.stops)-1, found)
}

// patient is a watcher in this process, whose CommServe is in trouble.
type patient struct {
	t      *testing.T
	sim    *sim.Sim
	clock  lifeClock
	struck atomic.Int64
	js     jetstream.JetStream
	stream string
	prefix string
	config string

	said   log
	end    func()
	stops  []doubt
	before int // how much it had said when it was last started
}

func newPatient(t *testing.T, c trouble, natsURL string) *patient {
	p := &patient{t: t, clock: lifeClock{step: aRequest}}
	p.stream = strings.Map(func(r rune) rune {
		if strings.ContainsRune(" ,=", r) {
			return '_'
		}
		return r
	}, c.name)
	p.prefix = p.stream + "."
	p.sim = sim.New(sim.Config{
		Seed: c.seed, Jobs: generatedJobs, Clock: p.clock.now, LockTime: time.Millisecond,
		Log: func(line string) {
			if strings.Count(line, ", ") > 1 {
				p.struck.Add(1)
			}
		},
	})
	for _, job := range scripted {
		p.sim.Add(job)
	}
	commServe := httptest.NewServer(p.clock.turnedBy(p.sim))
	t.Cleanup(commServe.Close)
	nc, err := nats.Connect(natsURL, nats.Timeout(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	if p.js, err = jetstream.New(nc); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	p.config = filepath.Join(dir, "watcher.yaml")
	text := fmt.Sprintf(`
commcells:
  - name: sim
    url: %s/webconsole/api
    format: %s
    auth: {username: watcher, password: watcher}
    schedule: "@every 1s"
    timeout: %s
    jobs: [71, 72, 73]
    sweep: %s
nats: {url: %q, stream: %q, subject_prefix: %q}
store: {path: %q}
http: {listen: ""}
`, commServe.URL, c.format, c.timeout(), []string{"details", "list"}[c.seed/2%2], natsURL, p.stream, p.stream, filepath.Join(dir, "watcher.db"))
	if err := os.WriteFile(p.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *patient) start() {
	cfg, err := config.Load(p.config)
	if err != nil {
		p.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	p.before = len(p.said.String())
	startedAt(time.Now(), p.stops)
	go func() {
		ended <- (&daemon.Daemon{Config: cfg, Log: slog.New(slog.NewJSONHandler(&p.said, nil))}).Run(ctx)
	}()
	p.end = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			p.t.Error(err)
		}
	})
	p.t.Cleanup(p.end)
}

// stop notes when nothing is asked any more: until then a request may be sent whose answer is not waited for.
func (p *patient) stop() {
	p.end()
	p.stops = append(p.stops, killedAt(time.Now()))
}

// restartIfRefused is what an administrator does once the password is right again: the watcher would wait for a
// minute, since users that try on get locked.
func (p *patient) restartIfRefused() {
	if strings.Contains(p.said.String()[p.before:], "next try") {
		p.stop()
		p.start()
	}
}

func (p *patient) read() []received { return readStream(p.t, p.js, p.stream, p.prefix) }

func (p *patient) until(what string, holds func() bool, got func() string) {
	p.t.Helper()
	for left := p.clock.patience(4 * time.Minute); !holds(); time.Sleep(50 * time.Millisecond) {
		if !left() {
			if got != nil {
				p.t.Log(got())
			}
			p.t.Fatalf("%s\nwaited in vain: %s", tail(p.said.String()), what)
		}
	}
}
