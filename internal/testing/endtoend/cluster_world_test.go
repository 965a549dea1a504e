package endtoend

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"jobwatch/internal/sim"
	"jobwatch/internal/testing/nameserver"
)

// clusterLong makes the cluster's tests long: as many rounds as the issue asks for, and deadlines as they are promised,
// on a machine that has nothing else to do. Its value is how long TestClusterUnderFire lasts.
const clusterLong = "JOBWATCH_CLUSTER_FIRE"

func isLong() bool { return os.Getenv(clusterLong) != "" }

// longOr is the second value in the long form.
func longOr[V any](short, long V) V {
	if isLong() {
		return long
	}
	return short
}

// promised is how long something may take: the promise in the long form, more beside everything else on a busy machine.
func promised(most time.Duration) time.Duration { return longOr(4*most, most) }

// What the contract promises.
const (
	takesOver = 15 * time.Second
	handsOver = 2 * time.Second
)

// clusterPlan says which world is built.
type clusterPlan struct {
	seed      int64
	members   int
	commCells int
	servers   int     // NATS servers, 1 or 3
	jobs      int     // of each CommCell at the start
	arrivals  float64 // later, in a second of ours
	most      int     // later
}

const clusterSpeed = 10 // simulated seconds of the jobs' lives in a second

// clusterWorld is several watchers that share several CommCells: each has a store of its own, and its own way to NATS.
type clusterWorld struct {
	t       *testing.T
	dir     string
	plan    clusterPlan
	cells   []*sharedCell
	members []*member
	one     *natsProcess  // where NATS is one server
	three   []*oneOfThree // where it is three
	read    *reader
}

// member is a watcher of the cluster.
type member struct {
	*victim
	who  int // its number, from 0
	name string
	http string
	wire *proxy // to NATS
	way  string // to the CommServes, of a program of another version
}

func newClusterWorld(t *testing.T, p clusterPlan) *clusterWorld {
	w := &clusterWorld{t: t, dir: t.TempDir(), plan: p, read: newReader(t)}
	for n := range p.commCells {
		play := sim.New(sim.Config{
			Seed: p.seed + int64(n), Speed: clusterSpeed, Jobs: p.jobs, Arrivals: p.arrivals / clusterSpeed, Most: p.most,
		})
		w.cells = append(w.cells, newSharedCell(t, fmt.Sprintf("c%d", n+1), play, p.members))
	}
	w.startNATS()
	w.makeStream()
	for who := range p.members {
		name := fmt.Sprintf("w%d", who+1)
		names := nameserver.New(t)
		names.LeadsTo(loopback(who))
		m := &member{who: who, name: name, http: keptAddress(t), wire: newProxy(t, w.addressFor(who))}
		m.victim = &victim{
			t: t, said: &log{}, config: filepath.Join(w.dir, name+".yaml"), store: filepath.Join(w.dir, name+".db"), crashes: map[string]int{},
			env: []string{nameServerVariable + "=" + names.Address(), quotaVariable + "=1000000000"},
		}
		t.Cleanup(m.end)
		w.configure(m, true)
		w.members = append(w.members, m)
	}
	t.Cleanup(w.tellsWhy)
	return w
}

// configure writes a member's configuration. One that is no part of the cluster is as one from before there were clusters.
func (w *clusterWorld) configure(m *member, clustered bool) {
	var b strings.Builder
	fmt.Fprintln(&b, "commcells:")
	for n, c := range w.cells {
		fmt.Fprintf(&b, "  - {name: %s, url: \"http://%s.example.com:%s/webconsole/api\", auth: {username: watcher, password: watcher}, schedule: \"@every 1s\", timeout: 5s, sweep: %s}\n",
			c.name, c.name, c.port, []string{"details", "list"}[n%2])
	}
	fmt.Fprintf(&b, "nats: {url: \"nats://%s\", replicas: %d}\nstore: {path: %q}\nhttp: {listen: %q}\ncluster: {enabled: %v, instance: %s}\n",
		m.wire.address(), w.plan.servers, m.store, m.http, clustered, m.name)
	if err := os.WriteFile(m.config, []byte(b.String()), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (w *clusterWorld) startNATS() {
	if w.plan.servers == 3 {
		w.three = newThree(w.t, filepath.Join(w.dir, "nats"))
		return
	}
	w.one = newNATSProcess(w.t, seededBy(w.plan.seed))
}

// addressFor is the NATS server of a member: its own, where there are three.
func (w *clusterWorld) addressFor(who int) string {
	if w.three != nil {
		return w.three[who].address
	}
	return w.one.address
}

// connect waits for NATS, of which all servers are told to it.
func (w *clusterWorld) connect() (js jetstream.JetStream, end func()) {
	w.t.Helper()
	var urls []string
	for _, s := range w.three {
		urls = append(urls, "nats://"+s.address)
	}
	if w.one != nil {
		urls = []string{w.one.url()}
	}
	nc, err := nats.Connect(strings.Join(urls, ","), nats.Timeout(time.Minute))
	if err != nil {
		w.t.Fatal(err)
	}
	if js, err = jetstream.New(nc); err != nil {
		w.t.Fatal(err)
	}
	return js, nc.Close
}

// makeStream makes the stream with a duplicate window that is over before anything is sent again.
func (w *clusterWorld) makeStream() {
	w.t.Helper()
	js, end := w.connect()
	defer end()
	var err error
	w.until("the stream is made", func() bool {
		ctx, cancel := context.WithTimeout(w.t.Context(), 10*time.Second)
		defer cancel()
		_, err = js.CreateStream(ctx, jetstream.StreamConfig{
			Name: "JOBS", Subjects: []string{"jobs.>", "commcells.>"}, Duplicates: 100 * time.Millisecond,
			MaxAge: 720 * time.Hour, Discard: jetstream.DiscardNew, Replicas: w.plan.servers,
		})
		return err == nil
	}, func() string { return fmt.Sprint(err) })
}

// end ends it with the test.
func (m *member) end() {
	if m.child != nil {
		_ = m.child.Process.Kill()
		<-m.ended
	}
}

// start starts members: all of them, where none is named.
func (w *clusterWorld) start(members ...*member) {
	w.t.Helper()
	if members == nil {
		members = w.members
	}
	for _, m := range members {
		m.start()
	}
}

// kill kills a member, and says when.
func (w *clusterWorld) kill(m *member) time.Time {
	at := time.Now()
	m.kill()
	return at
}

// stop stops a member as an administrator does, and says when it was told to.
func (w *clusterWorld) stop(m *member) time.Time {
	m.awaitSignals()
	at := time.Now()
	m.stop()
	return at
}

// joined waits until a member beats.
func (w *clusterWorld) joined(m *member) {
	w.t.Helper()
	before := w.lastBeat(m)
	w.until(m.name+" beats", func() bool { return w.lastBeat(m) > before })
}

// lastBeat is where in the bucket's stream a member has written last; 0: nowhere.
func (w *clusterWorld) lastBeat(m *member) uint64 {
	js, end := w.connect()
	defer end()
	ctx, cancel := context.WithTimeout(w.t.Context(), 10*time.Second)
	defer cancel()
	if bucket, err := js.Stream(ctx, bucketName); err == nil {
		if last, err := bucket.GetLastMsgForSubject(ctx, "$KV.JOBS_cluster.member."+m.name); err == nil {
			return last.Sequence
		}
	}
	return 0
}

// pass waits for a moment.
func (w *clusterWorld) pass(until time.Time) {
	w.t.Helper()
	w.within(time.Until(until)+time.Minute, "it is time", func() bool { return time.Now().After(until) })
}

// until waits for a condition, and fails after a time that no healthy machine needs, or when a member ends by itself.
func (w *clusterWorld) until(what string, holds func() bool, got ...func() string) {
	w.t.Helper()
	w.within(4*time.Minute, what, holds, got...)
}

// within is until with another time.
func (w *clusterWorld) within(most time.Duration, what string, holds func() bool, got ...func() string) {
	w.t.Helper()
	for until := time.Now().Add(most); !holds(); time.Sleep(50 * time.Millisecond) {
		for _, m := range w.members {
			m.alive() // or it says why not
		}
		if time.Now().After(until) {
			for _, say := range got {
				w.t.Log(say())
			}
			w.t.Fatalf("waited in vain for %v: %s", most, what)
		}
	}
}

// tellsWhy shows what the members said last, if the test has failed.
func (w *clusterWorld) tellsWhy() {
	if w.t.Failed() {
		for _, m := range w.members {
			said := m.said.String()
			w.t.Logf("%s said last:\n%s", m.name, said[max(0, len(said)-3000):])
		}
	}
}

// clusterStatus is what watcher cluster status says.
type clusterStatus struct {
	Members []struct {
		Instance, Version string
		CommCells         []string
		Tracked           int
		Leaving           bool
	}
	CommCells []struct {
		Name  string
		Owner *string
	}
}

// saysWhoPolls waits until the status of each member that lives, the command's and HTTP's, names those who poll.
func (w *clusterWorld) saysWhoPolls() {
	w.t.Helper()
	var got string
	says := func(m *member) bool {
		polls, is := w.whoPolls(), w.status(m)
		served := m.served()
		got = fmt.Sprintf("%s: who polls: %q\ncluster status: %q\n/api/v1/status: %q of %d members", m.name, polls, is.owners(), served.owners(), len(served.Members))
		return slices.Equal(is.owners(), polls) && slices.Equal(served.owners(), polls) && len(served.Members) == len(w.members) && len(is.Members) == len(w.members)
	}
	w.until("the status names who polls", func() bool {
		return !slices.ContainsFunc(w.members, func(m *member) bool { return m.child != nil && !says(m) })
	}, func() string { return got })
}

// status is what watcher cluster status says on a member's machine; nothing while NATS is too busy.
func (w *clusterWorld) status(m *member) (s clusterStatus) {
	_ = json.Unmarshal([]byte(typed(w.t, "cluster", "status", "-o", "json", "-c", m.config).Out), &s)
	return s
}

// served is what a member says of the cluster at /api/v1/status.
func (m *member) served() (s clusterStatus) {
	_, body := fetch("http://" + m.http + "/api/v1/status")
	_ = json.Unmarshal([]byte(body), &s)
	return s
}

func (s clusterStatus) owners() (lines []string) {
	for _, c := range s.CommCells {
		if c.Owner != nil {
			lines = append(lines, c.Name+" "+*c.Owner)
		}
	}
	slices.Sort(lines)
	return lines
}

func (w *clusterWorld) whoPolls() (lines []string) {
	for _, c := range w.cells {
		if who := c.polls(); who >= 0 {
			lines = append(lines, c.name+" "+w.members[who].name)
		}
	}
	return lines
}

// metric is what a member serves of a metric, with its labels, at /metrics; "" if it serves none.
func (m *member) metric(name string) string {
	code, text := fetch("http://" + m.http + "/metrics")
	if code != http.StatusOK {
		return ""
	}
	for line := range strings.Lines(text) {
		if value, found := strings.CutPrefix(line, "jobwatch_"+name+" "); found {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// unsent is what a member has not sent yet; -1 if it does not say.
func (m *member) unsent() int {
	s := struct{ Unsent int }{-1}
	_, body := fetch("http://" + m.http + "/api/v1/status")
	_ = json.Unmarshal([]byte(body), &s)
	return s.Unsent
}
