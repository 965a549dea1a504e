package endtoend

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"jobwatch/internal/sim"
)

// relayed is a watcher that polls ten jobs, and a process of its own that relays what it tells.
type relayed struct {
	*world
	to    *receiver
	js    jetstream.JetStream
	state int // of the jobs, of turns

	relay *exec.Cmd
	log   *log
	http  string
}

const (
	relayedFirst = 71
	relayedJobs  = 10
)

// turns are the states that the jobs go through: each one is an event.
var turns = []string{"Running", "Suspended", "Pending", "Waiting", "Running", "Suspended", "Pending", "Waiting"}

func newRelayed(t *testing.T, settings string) *relayed {
	t.Helper()
	play := sim.New(sim.Config{})
	r := &relayed{world: newWorld(t, 1, play), to: newReceiver(t), http: keptAddress(t)}
	r.world.relay("  - {name: hook, %s, webhook: {url: %q, allow: [127.0.0.1], allow_http: true}}\n", settings, r.to.URL)
	nc, err := nats.Connect(r.nats.ClientURL(), nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond))
	if err == nil {
		t.Cleanup(nc.Close)
		r.js, err = jetstream.New(nc)
	}
	if err != nil {
		t.Fatal(err)
	}
	for n := range int64(relayedJobs) {
		play.Add(sim.Job{ID: relayedFirst + n, Client: "fall", Steps: []sim.Step{{At: -time.Minute, State: turns[0]}}})
	}
	r.child = r.command(&r.said, "run", "--no-relays")
	r.judge()
	return r
}

// changes gives each job another state, and waits until that is told.
func (r *relayed) changes() {
	r.t.Helper()
	r.changesOf(relayedFirst, relayedFirst+relayedJobs)
}

// changesOf gives the jobs from one to before another the next state.
func (r *relayed) changesOf(first, end int64) {
	r.t.Helper()
	r.state++
	for n := first; n < end; n++ {
		r.sim.Add(sim.Job{ID: n, Client: "fall", Steps: []sim.Step{{At: -time.Minute, State: turns[r.state]}}})
	}
	told := "." + strings.ToLower(turns[r.state])
	r.until("the change is told", func() bool {
		s, err := r.js.Stream(r.t.Context(), "JOBS")
		for n := first; n < end && err == nil; n++ {
			var last *jetstream.RawStreamMsg
			last, err = s.GetLastMsgForSubject(r.t.Context(), fmt.Sprintf("jobs.sim.%d.>", n))
			if err == nil && !strings.HasSuffix(last.Subject, told) {
				return false
			}
		}
		return err == nil
	})
	r.acknowledged()
}

func (r *relayed) startRelay() {
	r.t.Helper()
	r.log = new(log)
	r.relay = r.command(r.log, "relay", "run", "--http", r.http)
}

// endRelay ends it as an administrator does.
func (r *relayed) endRelay() {
	r.t.Helper()
	_ = r.relay.Process.Signal(syscall.SIGTERM)
	if err := r.relay.Wait(); err != nil {
		r.t.Fatalf("SIGTERM ends relay run with %v\n%s", err, r.log)
	}
}

func (r *relayed) killRelay() {
	_ = r.relay.Process.Kill()
	_ = r.relay.Wait()
}

// status is what watcher relay status says.
func (r *relayed) status() (s struct {
	State, Reason   string
	Pending, Missed int
}) {
	r.t.Helper()
	said := typed(r.t, "relay", "status", "-c", r.config, "-o", "json").Succeeds(r.t)
	all := []any{&s}
	if err := json.Unmarshal([]byte(said.Out), &all); err != nil {
		r.t.Fatalf("%v: %s", err, said.Out)
	}
	return s
}

// noted waits until the relay has noted that it is done with all that the stream holds.
func (r *relayed) noted() {
	r.t.Helper()
	last := r.held().LastSeq
	r.until("all is delivered, and noted", func() bool { return r.note().Floor == last }, r.log.String)
}

type relayNote struct {
	Floor     uint64
	Positions []struct {
		Sequence uint64
		ID       string
	}
}

// note is what the relay remembers of where it got; nothing before its first write.
func (r *relayed) note() (note relayNote) {
	r.t.Helper()
	bucket, err := r.js.Stream(r.t.Context(), relayBucket)
	if err != nil {
		return note
	}
	e, err := bucket.GetLastMsgForSubject(r.t.Context(), "$KV.JOBS_RELAY_STATE.hook")
	if err == nil {
		err = json.Unmarshal(e.Data, &note)
	}
	if err != nil {
		r.t.Log(err)
	}
	return note
}

// showsNothing says whether the stream has at each position that was noted what it had: what was lost may be sent again in
// the same order, and then nobody can tell.
func (r *relayed) showsNothing(was relayNote) bool {
	r.t.Helper()
	s, err := r.js.Stream(r.t.Context(), mainStream)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, p := range was.Positions {
		m, err := s.GetMsg(r.t.Context(), p.Sequence)
		if err != nil || m.Header.Get("Nats-Msg-Id") != p.ID {
			return false
		}
	}
	return true
}

func (r *relayed) held() jetstream.StreamState {
	r.t.Helper()
	s, err := r.js.Stream(r.t.Context(), "JOBS")
	if err != nil {
		r.t.Fatal(err)
	}
	return s.CachedInfo().State
}

// relaySays waits until the relay's process has said something.
func (r *relayed) relaySays(what string) {
	r.t.Helper()
	r.until("the relay says "+what, func() bool { return strings.Contains(r.log.String(), what) }, r.log.String)
}

// metric is what the relay's process serves of a metric at /metrics.
func (r *relayed) metric(name string) (value string) {
	r.t.Helper()
	request, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, "http://"+r.http+"/metrics", nil)
	if err != nil {
		r.t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		r.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, found := strings.CutPrefix(line, fmt.Sprintf("jobwatch_%s{relay=\"hook\"} ", name)); found {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// arrives waits until all that the stream holds behind a sequence has come to the receiver, and fails the test where an
// event of a job came first before an earlier one.
func (r *relayed) arrives(behind uint64) {
	r.t.Helper()
	var missing []string
	r.until("all that the stream holds arrives", func() bool {
		missing = r.missing(behind)
		return len(missing) == 0
	}, func() string { return strings.Join(missing, "\n") }, r.log.String)
	for job, sequences := range r.to.arrived() {
		if !slices.IsSorted(firsts(sequences)) {
			r.t.Errorf("%s: out of order: %q", job, sequences)
		}
	}
}

func (r *relayed) missing(behind uint64) (missing []string) {
	arrived := r.to.arrived()
	eachMessage(r.t, r.js, "JOBS", "jobs.>", func(m jetstream.Msg) {
		meta, err := m.Metadata()
		if err != nil {
			r.t.Fatal(err)
		}
		e := parseReceived(r.t, m.Subject(), m.Headers().Get("Nats-Msg-Id"), m.Data())
		if meta.Sequence.Stream > behind && !slices.Contains(arrived[fmt.Sprintf("sim/%d", e.job)], e.sequence) {
			missing = append(missing, fmt.Sprintf("sim/%d %s %s", e.job, e.sequence, e.what))
		}
	})
	return missing
}

// arrived gives the sequences of each job's events as they came.
func (r *receiver) arrived() map[string][]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := map[string][]string{}
	for job, sequences := range r.order {
		all[job] = slices.Clone(sequences)
	}
	return all
}

// firsts leaves out what came again.
func firsts(sequences []string) (first []string) {
	for _, s := range sequences {
		if !slices.Contains(first, s) {
			first = append(first, s)
		}
	}
	return first
}

// count is that of all requests that were taken, repeats too.
func (r *receiver) count() (n int) {
	for _, sequences := range r.arrived() {
		n += len(sequences)
	}
	return n
}
