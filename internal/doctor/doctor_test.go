package doctor

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"jobwatch/internal/config"
	"jobwatch/internal/sim"
	"jobwatch/internal/stream"
	"jobwatch/internal/testing/disk"
)

// TestCheck checks before the first start of a watcher. Each row spoils one thing.
func TestCheck(t *testing.T) {
	for _, row := range []struct {
		name  string
		spoil func(*place)
		fails bool
		says  []string
	}{
		{"all is well", func(*place) {}, false, []string{
			"ok       commcell prod: connection: 127.0.0.1:", "ok       commcell prod: login: accepted",
			"ok       commcell prod: job list: holds 1 jobs", "ok       commcell prod: clock: differs from this machine's by less than 30s", "; its release is 11.36", "ok       commcell prod: job details: job 71 of fall is Running",
			"ok       commcell prod: feed: the CommServe's own events can be read",
			"ok       NATS: 127.0.0.1:", "ok       NATS stream: JOBS is not there yet; run makes it",
			"ok       store: ", "is not there yet; run makes it"}},
		{"no such host", func(p *place) { p.url = "http://commserve.invalid/api" }, true, []string{
			"failed   commcell prod: name: "}},
		{"the CommServe is away", func(p *place) { p.url = "http://" + p.closedPort() + "/api" }, true, []string{
			"failed   commcell prod: connection: dial tcp 127.0.0.1:", "ok       NATS: "}},
		{"a wrong password", func(p *place) { p.password = "another-secret" }, true, []string{
			`failed   commcell prod: login: login as "watcher" refused`}},
		{"a web server that is no CommServe", func(p *place) {
			p.serves = http.RedirectHandler("https://elsewhere.example.com/", http.StatusFound)
		}, true, []string{"failed   commcell prod: job list: Login: HTTP 302", "https://elsewhere.example.com/"}},
		{"another CommServe", func(p *place) { p.guid = "1F-2" }, true, []string{
			"failed   commcell prod: identity: the CommServe has the GUID ", "and not 1F-2; point url: back, or accept it with guid: "}},
		{"a job that the CommServe does not know", func(p *place) { p.jobs = "[99]" }, false, []string{
			"warning  commcell prod: job details: the CommServe does not know job 99, or does not show it to this user"}},
		{"a user who may not see the feed", func(p *place) {
			p.serves.(*sim.Sim).Fault(sim.Fault{Kind: sim.AccessDenied, Op: sim.OpEvents, Rate: 1})
		}, false, []string{"warning  commcell prod: feed: Events: an error instead of events: Access denied; ", "or set feed_every: 0"}},
		{"an old CommServe", func(p *place) {
			play := sim.New(sim.Config{Password: "watcher-secret", Old: true})
			play.Add(sim.Job{ID: 72, Client: "fall", Steps: []sim.Step{{State: "Running", Attempt: 1}}})
			p.serves = play
		}, false, []string{
			"warning  commcell prod: attempts: the CommServe is too old to tell them", "(JobDetails of job 72: HTTP 400: Unknown member showAttempt.)",
			"ok       commcell prod: job details: job 72 of fall is Running"}},
		{"a quota", func(p *place) { p.serves = rationed(p.serves, 200, 900) }, false, []string{
			"warning  commcell prod: quota: 900 requests are allowed in 1h0m0s, and the configuration needs 960 while nothing changes (120 for the Job list, 120 for details, 720 for the feed); make them rarer"}},
		{"a quota that is spent", func(p *place) { p.serves = rationed(p.serves, 429, 100) }, true, []string{
			"failed   commcell prod: job list: ", "429: ", "warning  commcell prod: quota: 100 requests are allowed in 1h0m0s, and the configuration needs 840 while nothing changes (120 for the Job list, 720 for the feed); make them rarer"}},
		{"a quota that suffices", func(p *place) {
			p.serves, p.jobs = rationed(p.serves, 200, 1000), `[], schedule: "@every 5m", feed_every: 1m`
		}, false, []string{
			"ok       commcell prod: quota: 1000 requests are allowed in 1h0m0s; the configuration needs 84 of them while nothing changes"}},
		{"a quota that rate_limit keeps to", func(p *place) { p.serves, p.jobs = rationed(p.serves, 200, 900), `[], rate_limit: 0.25` }, false, []string{
			"warning  commcell prod: quota: 900 requests are allowed in 1h0m0s, and the configuration needs 960 while nothing changes (120 for the Job list, 120 for details, 720 for the feed); rate_limit keeps to it, so that ticks are late"}},
		{"filters", func(p *place) { p.jobs = `[], discover: {include: {client: ["f*"]}}` }, false, []string{
			"ok       commcell prod: job list: holds 1 jobs, 1 match the filters"}},
		{"filters that leave out all", func(p *place) {
			p.jobs = `[], discover: {include: {client: ["w*"]}, exclude: {job_type: ["*"]}}`
		}, false, []string{
			"warning  commcell prod: job list: holds 1 jobs, and none passes discover.include.client"}},
		{"NATS is away", func(p *place) { p.nats = "nats://" + p.closedPort() }, true, []string{
			"failed   NATS: nats://127.0.0.1:", "ok       commcell prod: login"}},
		{"a first member of a cluster", func(p *place) { p.more = "cluster: {enabled: true, instance: w1}" }, false, []string{
			"ok       cluster: instance: w1 is free for this watcher", "ok       cluster: members: nobody is there now; run is the first"}},
		{"the embedded server's port is free", func(p *place) {
			p.nats = fmt.Sprintf(`embedded", embedded: {listen: %q, dir: %q}, stream: "JOBS`, p.closedPort(), p.in("nats"))
		}, false, []string{"ok       NATS: the embedded server can listen on 127.0.0.1:", "nats is not there yet; run makes it"}},
		{"the embedded server's port is another's", func(p *place) {
			p.nats = fmt.Sprintf(`embedded", embedded: {listen: %q, dir: %q}, stream: "JOBS`, strings.TrimPrefix(p.nats, "nats://"), p.in("nats"))
		}, false, []string{"warning  NATS: nats.embedded.listen 127.0.0.1:", "address already in use; stop what uses it, or choose another (no watcher of this store runs; 127.0.0.1:"}},
		{"the embedded server's port is no NATS server's", func(p *place) {
			p.nats = fmt.Sprintf(`embedded", embedded: {listen: %q, dir: %q}, stream: "JOBS`, strings.TrimPrefix(p.commServe.URL, "http://"), p.in("nats"))
		}, true, []string{"failed   NATS: nats.embedded.listen 127.0.0.1:", "address already in use; stop what uses it, or choose another"}},
		{"the embedded server's folder is another's", func(p *place) {
			p.nats = fmt.Sprintf(`embedded", embedded: {listen: %q, dir: %q}, stream: "JOBS`, p.closedPort(), p.natsDir)
		}, true, []string{"failed   NATS: nats.embedded.dir ", "in use by another process; stop it or choose another directory"}},
		{"the disk under the embedded server is full", func(p *place) {
			p.nats = fmt.Sprintf(`embedded", embedded: {listen: %q, dir: %q}, stream: "JOBS`, p.closedPort(), filepath.Join(fullDisk(p.t), "nats"))
		}, true, []string{"failed   NATS: nats.embedded.dir: "}},
		{"the disk under the store is full", func(p *place) { p.store = filepath.Join(fullDisk(p.t), "watcher.db") }, true, []string{
			"failed   store: store.path: "}},
		{"a state that Commvault does not know", func(p *place) { p.more = "severity: {kiled: error}" }, false, []string{
			"warning  configuration: severity.kiled: no state that Commvault documents"}},
		{"a store that is none", func(p *place) { p.write("watcher.db", strings.Repeat("a shopping list ", 20)) }, true, []string{
			"failed   store: ", "not a store of jobwatch"}},
		{"a store under a file", func(p *place) { p.write("file", ""); p.store = p.in("file/data/watcher.db") }, true, []string{
			"failed   store: ", "not a directory; the watcher must be able to"}},
		{"a taken HTTP address", func(p *place) { p.http = strings.TrimPrefix(p.commServe.URL, "http://") }, true, []string{
			"failed   HTTP: http.listen 127.0.0.1:", "address already in use; stop what uses it, or choose another"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			row.spoil(p)
			p.write("watcher.yaml", p.config())
			before := p.files()
			cfg, err := config.Load(p.in("watcher.yaml"))
			if err != nil {
				t.Fatal(err)
			}
			var found strings.Builder
			fails := false
			Check(t.Context(), cfg, p.in("watcher.yaml"), "test", func(f Finding) {
				fmt.Fprintf(&found, "%-7s  %s: %s\n", f.Grade, f.What, f.Text)
				fails = fails || f.Grade == stream.Failed
			})
			got := found.String()
			if fails != row.fails {
				t.Errorf("fails: %v, want %v", fails, row.fails)
			}
			for _, part := range row.says {
				if !strings.Contains(got, part) {
					t.Errorf("%q is not in\n%s", part, got)
				}
			}
			if strings.Contains(got, p.password) {
				t.Errorf("the password is in\n%s", got)
			}
			if after := p.files(); after != before {
				t.Errorf("files before: %s, after: %s", before, after)
			}
		})
	}
}

// fullDisk is a folder on a disk without room; where the test may mount none, one that nothing can be written into.
func fullDisk(t *testing.T) string {
	folder, small := disk.New(t)
	if small {
		disk.Fill(t, filepath.Join(folder, "ballast"))
	} else if err := os.Chmod(folder, 0o500); err != nil {
		t.Fatal(err)
	}
	return folder
}

// place is a folder, a CommServe and a NATS server, and what the configuration says of them.
type place struct {
	t         *testing.T
	dir       string
	natsDir   string
	commServe *httptest.Server
	serves    http.Handler

	guid, url, ca, password, jobs, nats, store, http, more string
	clock                                                  time.Duration // by which the CommServe's is ahead
}

func newPlace(t *testing.T) *place {
	t.Helper()
	p := &place{t: t, dir: t.TempDir(), password: "watcher-secret", jobs: "[]"}
	play := sim.New(sim.Config{Password: "watcher-secret"})
	play.Add(sim.Job{ID: 71, Client: "fall", Steps: []sim.Step{{State: "Running", Phase: "Scan"}}})
	p.serves = play
	p.commServe = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", time.Now().Add(p.clock).UTC().Format(http.TimeFormat))
		p.serves.ServeHTTP(w, r)
	}))
	t.Cleanup(p.commServe.Close)
	p.natsDir = t.TempDir()
	nats, err := stream.StartEmbedded(stream.EmbeddedConfig{Listen: "127.0.0.1:0", Dir: p.natsDir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nats.Close)
	p.url, p.nats, p.store = p.commServe.URL+"/webconsole/api", nats.ClientURL(), p.in("data/watcher.db")
	return p
}

func (p *place) config() string {
	return fmt.Sprintf(`
commcells: [{name: prod, guid: %q, url: %q, tls: {ca_file: %q}, auth: {username: watcher, password: %q}, jobs: %s}]
nats: {url: "%s"}
store: {path: %q}
http: {listen: %q}
%s
`, p.guid, p.url, p.ca, p.password, p.jobs, p.nats, p.store, p.http, p.more)
}

func (p *place) in(name string) string { return filepath.Join(p.dir, name) }

func (p *place) write(name, text string) {
	p.t.Helper()
	if name == "watcher.db" {
		p.store = p.in(name)
	}
	if err := os.WriteFile(p.in(name), []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// closedPort is an address where nobody listens.
func (p *place) closedPort() string {
	p.t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		p.t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func (p *place) files() string {
	var names []string
	err := filepath.WalkDir(p.dir, func(path string, _ os.DirEntry, err error) error {
		names = append(names, path)
		return err
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return strings.Join(names, " ")
}
