package endtoend

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"jobwatch/internal/sim"
	"jobwatch/internal/testing/fakeslack"
	"jobwatch/internal/testing/slow"
	"jobwatch/internal/testing/terminal"
)

// receiver takes what a webhook relay sends.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	code   int                 // its answer
	order  map[string][]string // job => sequences of its events, as they came; guarded by mu
	header http.Header         // of the last
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{code: http.StatusNoContent, order: map[string][]string{}}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	var event struct{ ID, PartitionKey, Sequence string }
	_ = json.Unmarshal(body, &event)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.header = req.Header.Clone()
	if r.code < 300 {
		r.order[event.PartitionKey] = append(r.order[event.PartitionKey], event.Sequence)
	}
	w.WriteHeader(r.code)
	fmt.Fprint(w, "the answer")
}

// last are the headers of the last request.
func (r *receiver) last() http.Header {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.header
}

func (r *receiver) answers(code int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.code = code
}

// events counts those that came, each once, and fails the test if a job's came out of order.
func (r *receiver) events(t *testing.T) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for job, sequences := range r.order {
		last := ""
		for _, s := range sequences {
			if s < last {
				t.Errorf("job %s: %s came after %s", job, s, last)
			}
			if s > last {
				n++
			}
			last = max(last, s)
		}
	}
	return n
}

// relay adds relays to the configuration.
func (w *world) relay(format string, values ...any) {
	w.t.Helper()
	text, err := os.ReadFile(w.config)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(w.config, fmt.Appendf(text, "relays:\n"+format, values...), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) keep(name, text string) (file string) {
	w.t.Helper()
	file = filepath.Join(w.dir, name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return file
}

// command is another process of the same configuration; it ends with the test.
func (w *world) command(said *log, args ...string) *exec.Cmd {
	w.t.Helper()
	c := exec.CommandContext(w.t.Context(), "watcher", append(args, "-c", w.config)...)
	c.Stderr = said
	if err := c.Start(); err != nil {
		w.t.Fatal(err)
	}
	return c
}

// TestRelayGoesOn has two processes with the same relay, of which the one that delivers is killed. Its configuration is
// ten lines long.
func TestRelayGoesOn(t *testing.T) {
	slow.Test(t, "15 s", "a lease is given up after the readings of eight seconds")
	t.Parallel()
	const jobs = 20
	clock := &lifeClock{step: 30 * time.Millisecond}
	w := newWorld(t, 14, sim.New(sim.Config{Seed: 14, Jobs: jobs, Clock: clock.now}), clock.turnedBy)
	w.clock = clock
	to := newReceiver(t)
	secret := base64.StdEncoding.EncodeToString([]byte("a secret of twenty-four bytes or more"))
	w.relay(`  - name: hook
    start: all
    webhook:
      url: %s/hook?key=hunter2
      allow: [127.0.0.1]
      allow_http: true
      secret_files: [%s]
      headers: {Authorization: {value_file: %s}}
`, to.URL, w.keep("whsec", "whsec_"+secret), w.keep("auth", "Bearer swordfish"))
	w.start()
	w.says("relay delivers")
	var said log
	beside := w.command(&said, "relay", "run", "--http", "127.0.0.1:0")
	clock.run(5)
	w.until("events are delivered", func() bool { return to.events(t) > jobs })
	if got := to.last(); got.Get("Authorization") != "Bearer swordfish" || !strings.HasPrefix(got.Get("Webhook-Signature"), "v1,") {
		t.Errorf("got %v", got)
	}
	var status terminal.Said
	w.until("its status says so", func() bool {
		status = typed(t, "relay", "status", "-c", w.config, "-o", "json").Succeeds(t)
		return strings.Contains(status.Out, `"state": "delivering"`)
	})

	w.kill() // and polling starts again, without relays
	killed := time.Now()
	w.child = w.command(&w.said, "run", "--no-relays")
	before := to.events(t)
	clock.run(10)
	w.until("the other goes on", func() bool { return to.events(t) > before })
	t.Logf("it goes on after %v", time.Since(killed)) // TestGoesOnInTime, of simulated time, holds that against 20 s
	w.until("every job's end is seen", func() bool { return allEnded(w.sim.Served(), jobs) })
	w.acknowledged()
	w.until("all is delivered", func() bool { return to.events(t) == len(w.read()) }, func() string { return said.String() })

	began := time.Now()
	_ = beside.Process.Signal(syscall.SIGTERM)
	if err := beside.Wait(); err != nil {
		t.Errorf("SIGTERM ends relay run with %v\n%s", err, said.String())
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it stops after %v", took)
	}
	w.stop()
	for _, text := range []string{w.said.String(), said.String(), status.Out} {
		for _, secret := range []string{"hunter2", "swordfish", secret} {
			if strings.Contains(text, secret) {
				t.Errorf("%s is in\n%s", secret, text)
			}
		}
	}
}

// TestRelayStandsAlone has a relay whose secret cannot be read: it alone stands still, and it starts when the file is
// there. Another is mended by an edit of the configuration.
func TestRelayStandsAlone(t *testing.T) {
	slow.Test(t, "6 s", "a running watcher reads its file once a second, twice")
	t.Parallel()
	play := sim.New(sim.Config{})
	play.Add(sim.Job{ID: 71, Client: "fall", Steps: []sim.Step{{At: -time.Minute, State: "Running", Phase: "Scan"}}})
	w := newWorld(t, 15, play)
	good, late, mended := newReceiver(t), newReceiver(t), newReceiver(t)
	const local = "allow: [127.0.0.1], allow_http: true"
	w.relay(`  - {name: good, start: all, webhook: {url: %q, %s}}
  - {name: late, start: all, webhook: {url_file: %q, %s}}
  - {name: mended, start: all, webhook: {url: %q, %s, secret_files: [%q]}}
`, good.URL, local, filepath.Join(w.dir, "url"), local, mended.URL, local, w.keep("whsec", "whsec_tooshort"))
	w.start()
	w.until("the good one delivers", func() bool { return good.events(t) > 0 })
	w.says("webhook.url_file: " + filepath.Join(w.dir, "url") + ": no such file or directory")
	w.says("webhook.secret_files")
	said := typed(t, "check", "-c", w.config)
	said.Fails(t, failed, "checks failed")
	for _, part := range []string{"relay good: the receiver can be connected to", "relay late: webhook.url_file", "relay mended: webhook.secret_files"} {
		if !strings.Contains(said.Out, part) {
			t.Errorf("%q is not in\n%s", part, said.Out)
		}
	}
	if late.events(t)+mended.events(t) > 0 {
		t.Error("something was sent before the secrets could be read")
	}
	w.keep("url", late.URL+"/hunter2\n")
	w.until("the late one delivers", func() bool { return late.events(t) > 0 })
	w.edit(fmt.Sprintf(", secret_files: [%q]", filepath.Join(w.dir, "whsec")), "")
	w.says("relay mended has changed")
	w.until("the mended one delivers", func() bool { return mended.events(t) > 0 })
	w.kill()
	if strings.Contains(w.said.String()+said.Out, "hunter2") || strings.Contains(w.said.String()+said.Out, "tooshort") {
		t.Errorf("a secret is in\n%s", w.said.String())
	}
}

// TestRelayMistakes: what the file alone shows is status 2, with one line, whatever the command.
func TestRelayMistakes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"{name: ops, slack: {token_file: t, channel: '#ops'}}":                           "relays[0].slack.channel: \"#ops\": wants the channel's id",
		"{name: ops, webhok: {}}":                                                        `relays[0].webhok: unknown key; did you mean "webhook"?`,
		"{name: ops, webhook: {url: 'http://me:hunter2@a'}}":                             "relays[0].webhook.url: wants no user in it",
		"{name: ops, webhook: {url: 'https://a', body: {a: [{b: '{data.job.client'}]}}}": "relays[0].webhook.body.a[0].b: ",
		"{name: ops, email: {server: mail, from: a@b, to: [c@d]}}":                       "relays[0].email.server: \"mail\": wants host:port",
		"{name: ops, subjects: ['jobs.>', 'jobs.prod.>'], audit: {}}":                    `"jobs.prod.>" is within "jobs.>"`,
	} {
		file := filepath.Join(t.TempDir(), "watcher.yaml")
		config := "commcells: [{name: sim, url: 'http://127.0.0.1:1', auth: {token: QSDK}}]\nrelays:\n  - " + text + "\n"
		if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, words := range [][]string{{"run"}, {"check"}, {"relay", "run"}, {"relay", "status"}} {
			typed(t, append(words, "-c", file)...).Fails(t, wrong, file+":3: ")
			typed(t, append(words, "-c", file)...).Fails(t, wrong, want)
		}
	}
}

// TestRelayToSlackIsChecked: a wrong token or channel is one line with the mend, and nobody sees a message.
func TestRelayToSlackIsChecked(t *testing.T) {
	t.Parallel()
	server := fakeslack.New(t)
	server.Accept("xoxb-good")
	dir := t.TempDir()
	for token, want := range map[string]string{"xoxb-good": "relay ops\n  ok       Slack accepts the token", "xoxb-hunter2": "relay ops\n  failed   "} {
		if err := os.WriteFile(filepath.Join(dir, "token"), []byte(token), 0o600); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, "watcher.yaml")
		config := fmt.Sprintf("commcells: [{name: sim, url: 'http://127.0.0.1:1', auth: {token: QSDK}}]\nhttp: {listen: ''}\n"+
			"relays: [{name: ops, slack: {token_file: token, channel: %s, api_url: %q}}]\n", fakeslack.Channel, server.URL)
		if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		said := typed(t, "check", "-c", file)
		if !strings.Contains(said.Out, want) || strings.Contains(said.Out, "hunter2") {
			t.Errorf("%q is not in\n%s", want, said.Out)
		}
	}
	if posted := len(server.Roots()); posted > 0 {
		t.Errorf("%d messages were posted", posted)
	}
}

// TestRelayDeadLetters: what the receiver cannot take is a dead letter, which is delivered once it is redriven.
func TestRelayDeadLetters(t *testing.T) {
	slow.Test(t, "20 s", "an event is tried three times, with real pauses")
	t.Parallel()
	play := sim.New(sim.Config{})
	play.Add(sim.Job{ID: 71, Client: "fall", Steps: []sim.Step{{At: -time.Minute, State: "Running", Phase: "Scan"}}})
	w := newWorld(t, 16, play)
	to := newReceiver(t)
	to.answers(http.StatusBadRequest)
	w.relay("  - {name: hook, start: all, webhook: {url: %q, allow: [127.0.0.1], allow_http: true}}\n", to.URL+"/hunter2")
	w.start()
	dead := func() string { return typed(t, "relay", "dead", "hook", "-c", w.config, "-o", "json").Succeeds(t).Out }
	w.until("both events are dead letters", func() bool { return strings.Count(dead(), `"status": 400`) == 2 }, dead)
	if letters := dead(); !strings.Contains(letters, `"job": "sim/71"`) || strings.Contains(letters, "hunter2") {
		t.Errorf("got %s", letters)
	}
	typed(t, "__complete", "-c", w.config, "relay", "redrive", "hook", "--job", "").Succeeds(t, "sim/71\n:4")
	typed(t, "relay", "redrive", "hook", "--job", "sim/72", "-c", w.config).Fails(t, failed, "no such dead letter")
	typed(t, "relay", "redrive", "hook", "-c", w.config).Fails(t, wrong, "name which: --job JOB")
	typed(t, "relay", "redrive", "hook", "--all", "-c", w.config).Succeeds(t, "2 redriven")
	w.says("a dead letter that was redriven is refused once more")
	w.until("both are refused", func() bool { return strings.Count(dead(), `"redriving": false`) == 2 }, dead)
	to.answers(http.StatusNoContent)
	typed(t, "relay", "redrive", "hook", "--job", "sim/71", "-c", w.config).Succeeds(t, "2 redriven")
	w.until("they are delivered", func() bool { return to.events(t) == 2 })
	w.until("they leave the list", func() bool { return strings.TrimSpace(dead()) == "[]" }, dead)
	w.kill()
}
