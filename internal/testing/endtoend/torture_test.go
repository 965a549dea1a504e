package endtoend

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"jobwatch/internal/failpoint"
	"jobwatch/internal/sim"
	"jobwatch/internal/testing/disk"
	"jobwatch/internal/testing/slow"
)

// TestTorture kills the watcher again and again, at random moments and at the points where a crash matters, while all
// that it deals with fails in every way that the table of torments knows, and then holds the stream against what the
// CommServe had answered. Then it does the same to two watchers with the same configuration and a store each, as when
// somebody starts a second one by accident.
//
// JOBWATCH_TORTURE is a number of kills, a quarter of them again for the two, or how long each lasts; JOBWATCH_SEED
// repeats the choices of another run; JOBWATCH_TORTURE_REPORT is a file for the report.
func TestTorture(t *testing.T) {
	slow.Test(t, "1 min", "all faults at once find what none finds alone")
	p := newPlan(t)
	one, two := newReport(), newReport()
	t.Run("one watcher", func(t *testing.T) { p.carryOut(t, &one, 1) })
	t.Run("two watchers", func(t *testing.T) { p.carryOut(t, &two, 2) })
	t.Logf("one watcher: %s", one)
	t.Logf("two watchers: %s", two)
	if name := os.Getenv("JOBWATCH_TORTURE_REPORT"); name != "" && !t.Failed() {
		p.write(t, name, one, two)
	}
}

const killsInPart = 100 // each part is a world of its own, judged at its end

// plan says how long the torture lasts.
type plan struct {
	seed  int64
	kills int
	lasts time.Duration // where kills do not say it
}

func newPlan(t *testing.T) *plan {
	p := &plan{seed: seeds(t)[0]}
	text := os.Getenv("JOBWATCH_TORTURE")
	if kills, err := strconv.Atoi(text); err == nil {
		p.kills = kills
	} else if lasts, err := time.ParseDuration(text); err == nil {
		p.lasts = lasts
	} else if text != "" {
		t.Fatalf("JOBWATCH_TORTURE: %q is neither a number of kills nor a duration", text)
	}
	t.Logf("JOBWATCH_SEED=%d", p.seed)
	return p
}

// carryOut tortures so many watchers beside each other.
func (p *plan) carryOut(t *testing.T, sum *report, watchers int) {
	goesOn := p.goesOn(watchers)
	for part := int64(0); goesOn(sum.kills()); part++ {
		ok := t.Run(fmt.Sprintf("part %d", part+1), func(t *testing.T) {
			x := newTorture(t, p.seed+part, watchers)
			x.suffer(func() bool { return x.tally.kills() < killsInPart && goesOn(sum.kills()+x.tally.kills()) })
			x.finale()
			sum.add(x.tally)
		})
		if !ok {
			return
		}
	}
}

func (p *plan) goesOn(watchers int) func(kills int) bool {
	if p.kills > 0 {
		most := p.kills / (watchers * watchers)
		return func(kills int) bool { return kills < most }
	}
	until := time.Now().Add(cmp.Or(p.lasts, 40*time.Second/time.Duration(watchers*watchers)))
	return func(int) bool { return time.Now().Before(until) }
}

// The jobs of a part: they come while it lasts, and live by what is asked.
const (
	tortureJobs     = 40                    // at the start
	tortureMost     = 300                   // later
	tortureArrivals = 1.5                   // in a simulated second
	tortureStep     = 50 * time.Millisecond // of their lives, a request
	longestLife     = 150 * time.Second     // of theirs
	patienceInRound = 2 * time.Second       // with a watcher that cannot get on
)

// torture is a world in which everything fails.
type torture struct {
	t         *testing.T
	began     time.Time
	random    *rand.Rand
	sim       *sim.Sim
	clock     lifeClock
	nats      *natsProcess
	proxy     *proxy
	dir       string
	disk      string // of the stores
	smallDisk bool
	format    string
	feed      string  // how often it is read; 0: a list says that the cycle before is over
	lists     moments // at which it was asked for, without the feed
	url       string

	pair bool // of tokens, instead of a password

	points  []failpoint.Point // at which a watcher may crash
	victims []*victim
	table   []torment
	bag     []torment // not yet drawn
	read    *reader
	tally   report
}

func newTorture(t *testing.T, seed int64, watchers int) *torture {
	t.Logf("seed %d", seed)
	x := &torture{t: t, began: time.Now(), random: rand.New(rand.NewPCG(uint64(seed), 0)), dir: t.TempDir(), read: newReader(t), clock: lifeClock{step: tortureStep}}
	x.tally = newReport()
	x.format = []string{"json", "xml"}[x.random.IntN(2)]
	x.disk = x.dir
	if x.random.IntN(2) == 0 {
		x.disk, x.smallDisk = disk.New(t)
	}
	x.table = slices.DeleteFunc(torments(), func(each torment) bool { return each.name == diskFull && !x.smallDisk })
	oddities := 0.02
	if watchers > 1 {
		oddities = 0 // what was told of a job whose number is another's is not followed through two of them
		x.table = bearable(x.table)
	}
	x.feed = []string{"0", "1s"}[x.random.IntN(2)]
	x.pair = x.random.IntN(2) == 0
	x.points = slices.DeleteFunc(slices.Clone(failpoint.CrashPoints), func(p failpoint.Point) bool {
		return p == failpoint.Adoption && watchers == 1 || p == failpoint.Renewal && !x.pair
	})
	x.sim = sim.New(sim.Config{
		Seed: seed, Jobs: tortureJobs, Most: tortureMost, Arrivals: tortureArrivals, Oddities: oddities,
		Clock: x.clock.now, LockTime: time.Millisecond, AccessLifetime: pairLives,
	})
	x.newPair()
	handler := x.clock.turnedBy(x.sim)
	if x.feed == "0" {
		handler = x.lists.noting(handler)
	}
	commServe := httptest.NewServer(handler)
	t.Cleanup(commServe.Close)
	x.url = commServe.URL
	x.nats = newNATSProcess(t, x.random)
	x.makeStream()
	x.proxy = newProxy(t, x.nats.address)
	for n := range watchers {
		name := fmt.Sprintf("watcher%d", n+1)
		v := &victim{t: t, said: &log{}, config: filepath.Join(x.dir, name+".yaml"), store: filepath.Join(x.disk, name+".db"), crashes: x.tally.crashes}
		t.Cleanup(func() { v.kill() })
		x.victims = append(x.victims, v)
	}
	return x
}

// configure writes a configuration for the next start of a watcher.
func (x *torture) configure(v *victim) {
	text := fmt.Sprintf(`
commcells:
  - name: sim
    url: %s/webconsole/api
    format: %s
    auth: %s
    schedule: "@every 1s"
    timeout: 5s
    feed_every: %s
    sweep: %s
nats: {url: "nats://%s"}
store: {path: %q}
http: {listen: ""}
`, x.url, x.format, x.login(), x.feed, []string{"details", "list"}[x.random.IntN(2)], x.proxy.address(), v.store)
	if err := os.WriteFile(v.config, []byte(text), 0o600); err != nil {
		x.t.Fatal(err)
	}
}

// suffer has rounds of troubles, each with its end.
func (x *torture) suffer(more func() bool) {
	for more() {
		x.round(x.victims[x.random.IntN(len(x.victims))])
	}
}

func (x *torture) round(v *victim) {
	for _, each := range x.victims {
		x.live(each)
	}
	if x.random.IntN(3) > 0 {
		x.progress(1 + x.random.IntN(tortureJobs))
	}
	torments := x.draw()
	for _, now := range torments {
		now.begin(x, v)
		x.tally.torments[now.name]++
	}
	x.progress(1 + x.random.IntN(tortureJobs*[]int{1, 1, 1, 4}[x.random.IntN(4)]))
	late := x.random.IntN(2) == 0 // the end finds all as bad as it is
	if !late {
		x.relieve(torments, v)
	}
	x.end(v)
	if late {
		x.relieve(torments, v)
	}
}

// live has a watcher live, from now on if it was dead. Where its last life ended without a login that is good, there
// is one now.
func (x *torture) live(v *victim) {
	if !v.alive() {
		if v.refused() {
			x.newPair()
		}
		x.configure(v)
		v.env = append(x.chooseCrash(), x.quota(v))
		v.start()
	}
}

func (x *torture) relieve(torments []torment, v *victim) {
	for _, now := range slices.Backward(torments) {
		now.end(x, v)
	}
}

// end is how a round ends for the watcher.
func (x *torture) end(v *victim) {
	switch {
	case !v.alive(): // it has crashed
	case x.random.IntN(12) > 0:
		v.kill()
		x.tally.ends["SIGKILL"]++
	case x.random.IntN(2) == 0 && !v.armed:
		v.stop()
		x.tally.ends["SIGTERM"]++
	}
}

// progress waits until so much more has been asked for, or the watcher has crashed, or cannot get on.
func (x *torture) progress(more int) {
	asked := func() int { return x.sim.Counts()[sim.OpJobDetails] }
	before, patient := asked(), time.Now().Add(patienceInRound)
	for asked() < before+more && time.Now().Before(patient) {
		for _, v := range x.victims {
			if !v.alive() || v.refused() {
				return
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// finale has all be well again, and judges.
func (x *torture) finale() {
	x.sim.Heal()
	over := x.clock.now() + longestLife
	over = max(over, time.Duration(tortureMost/tortureArrivals*float64(time.Second))+longestLife)
	x.clock.run(20)
	x.until("every job's end is seen", func() bool {
		for _, v := range x.victims {
			x.recover(v)
		}
		return x.clock.now() > over && len(unended(x.listed(), x.sim.Served())) == 0
	}, func() string {
		return fmt.Sprintf("%v of %v; without an end: %s", x.clock.now(), over, strings.Join(unended(x.listed(), x.sim.Served()), "\n"))
	})
	var found verdict
	x.until("the stream is complete", func() bool {
		found = x.judge()
		return found.clean()
	}, func() string { return found.String() })
	for _, v := range x.victims {
		v.stop()
	}
	if found = x.judge(); !found.clean() {
		x.t.Fatalf("after the stop: %s", found)
	}
	x.tally.judged(x, found)
	x.t.Log(x.tally)
}

// recover has a watcher live that is not to crash, and does what an administrator does for one that is refused.
func (x *torture) recover(v *victim) {
	if v.refused() {
		x.newPair()
	}
	if v.armed || v.refused() {
		v.kill()
	}
	if !v.alive() {
		x.configure(v)
		v.env = []string{x.quota(v)}
		v.start()
	}
}

func (x *torture) judge() verdict {
	events := x.read.all(x.jetStream())
	if len(x.victims) > 1 {
		return judgeSome(x.sim.Served(), events)
	}
	return judge(x.t, x.sim.Served(), x.victims[0].doubts, events, x.lists.all()...)
}

// moments are times in their order.
type moments struct {
	mu    sync.Mutex
	times []time.Time // guarded by mu
}

// noting notes when the Job list is asked for.
func (m *moments) noting(commServe http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isList(r) {
			m.mu.Lock()
			m.times = append(m.times, time.Now())
			m.mu.Unlock()
		}
		commServe.ServeHTTP(w, r)
	})
}

func (m *moments) all() []time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.times)
}

// makeStream makes the stream with a duplicate window that is over before anything is sent again, or gives one that
// a watcher has made that window.
func (x *torture) makeStream() {
	js, end := x.jetStream()
	defer end()
	_, err := js.CreateOrUpdateStream(x.t.Context(), jetstream.StreamConfig{
		Name: "JOBS", Subjects: []string{"jobs.>", "commcells.>"}, Duplicates: 100 * time.Millisecond,
		MaxAge: 720 * time.Hour, Discard: jetstream.DiscardNew,
	})
	if err != nil {
		x.t.Fatal(err)
	}
}

func (x *torture) jetStream() (js jetstream.JetStream, end func()) {
	nc, err := nats.Connect(x.nats.url(), nats.Timeout(time.Minute))
	if err != nil {
		x.t.Fatal(err)
	}
	if js, err = jetstream.New(nc); err != nil {
		x.t.Fatal(err)
	}
	return js, nc.Close
}

func (x *torture) until(what string, holds func() bool, got func() string) {
	x.t.Helper()
	for left := x.clock.patience(2 * time.Minute); !holds(); time.Sleep(500 * time.Millisecond) {
		if !left() {
			if got != nil {
				x.t.Log(got())
			}
			x.victims[0].hangs("waited in vain: " + what)
		}
	}
}
