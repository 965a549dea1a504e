package publish

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"jobwatch/internal/job"
	"jobwatch/internal/store"
	"jobwatch/internal/store/storetest"
	"jobwatch/internal/stream"
)

// tailSpy is a broker that counts what the tail gives and what is read back, and whether one job's reads and publishes overlap.
type tailSpy struct {
	Broker
	hold    chan struct{} // publishes wait until it is closed; nil: they do not
	failing error         // of following

	mu       sync.Mutex
	follows  int             // times that following began
	received int             // messages taken
	last     int             // of Last
	inside   map[string]bool // filters of jobs that are published or read
	overlaps []string
}

func (e *tailSpy) FollowHeaders(ctx context.Context, from uint64, yield func(stream.Message) error) error {
	e.mu.Lock()
	e.follows++
	failing := e.failing
	e.mu.Unlock()
	if failing != nil {
		return failing
	}
	return e.Broker.FollowHeaders(ctx, from, func(m stream.Message) error {
		err := yield(m)
		e.mu.Lock()
		defer e.mu.Unlock()
		e.received++
		return err
	})
}

func (e *tailSpy) Last(ctx context.Context, filter string) (stream.Message, error) {
	defer e.enter(filter)()
	e.mu.Lock()
	e.last++
	e.mu.Unlock()
	return e.Broker.Last(ctx, filter)
}

func (e *tailSpy) Publish(ctx context.Context, m stream.Outgoing) (uint64, error) {
	defer e.enter(m.Filter)()
	if e.hold != nil {
		<-e.hold
	}
	return e.Broker.Publish(ctx, m)
}

func (e *tailSpy) enter(filter string) (leave func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.inside == nil {
		e.inside = map[string]bool{}
	}
	if e.inside[filter] {
		e.overlaps = append(e.overlaps, filter)
	}
	e.inside[filter] = true
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.inside, filter)
	}
}

func (e *tailSpy) counts() (follows, heard, last int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.follows, e.received, e.last
}

// followsTail runs a publisher that does not read the stream again, but follows its tail.
func (x *watcher) followsTail(b Broker, change ...func(*Config)) *Publisher {
	x.w.t.Helper()
	c := Config{Store: x.store, Broker: b, Round: time.Hour}
	for _, f := range change {
		f(&c)
	}
	p := New(c)
	run(x.w.t, p.Run)
	<-p.CaughtUp()
	return p
}

func (x *watcher) recalls(number int64) store.Known {
	x.w.t.Helper()
	known, err := x.store.Recall(job.ID{CommCell: "prod", Number: number})
	if err != nil {
		x.w.t.Fatal(err)
	}
	return known
}

// knows waits until the store knows of a state that was told.
func (x *watcher) knows(number int64, state job.Text) {
	x.w.t.Helper()
	x.w.until(fmt.Sprintf("job %d is known as %s", number, state), func() bool {
		return x.recalls(number).Told.State == state
	})
}

// second is another watcher at the same stream, which has read it.
func (w *world) second(name string) *watcher {
	w.t.Helper()
	y := w.watcher(name)
	y.followsTail(w.broker())
	return y
}

func TestAForeignEventIsNoticedAtOnce(t *testing.T) {
	w := newWorld(t)
	x := w.watcher("a.db")
	var log logbook
	p := x.followsTail(w.broker(), func(c *Config) { c.Log = log.logger() })
	x.sees(71, "Running", "")
	w.until("all is sent", func() bool { return x.store.Unsent() == 0 })
	y := w.second("b.db")
	y.knows(71, "Running")

	y.sees(71, "Pending", "")
	x.knows(71, "Pending")
	w.until("a refresh is pending", func() bool { // which is noted when the transaction is over
		return x.store.RefreshPending(job.ID{CommCell: "prod", Number: 71})
	})
	y.sees(71, "Running", "")
	x.knows(71, "Running")
	y.sees(72, "Running", "") // of which we know nothing
	x.knows(72, "Running")
	if got := p.ForeignWrites()["prod"]; got != 3 {
		t.Errorf("another has told %d times, want 3", got)
	}
	if got := log.count("another watcher tells of this CommCell too"); got != 1 {
		t.Errorf("it is named %d times:\n%s", got, log.String())
	}
	z := w.second("c.db")
	z.sees(73, "Running", "")
	x.knows(73, "Running")
	if got := log.count("another watcher tells of this CommCell too"); got != 2 {
		t.Errorf("two others are named %d times:\n%s", got, log.String())
	}
}

func TestOurOwnEventsNameNoJob(t *testing.T) {
	w := newWorld(t)
	x := w.watcher("a.db")
	for number := int64(1); number <= 20; number++ {
		x.sees(number, "Running", "Scan") // of an epoch before the restart
	}
	x.restart()
	b := &tailSpy{Broker: w.broker(), hold: make(chan struct{})}
	p := x.followsTail(b)
	for number := int64(11); number <= 30; number++ {
		x.sees(number, "Pending", "Scan")
	}
	own, _, err := storetest.Oldest(x.store, job.ID{CommCell: "prod", Number: 30})
	if err != nil {
		t.Fatal(err)
	}
	if _, news := p.foreignJob(stream.Message{Subject: "jobs.prod.30.fall.state.pending", ID: own.Event.ID}); news {
		t.Error("our own event is news")
	}
	close(b.hold)
	w.until("all is sent", func() bool { return x.store.Unsent() == 0 })
	w.until("all is heard", func() bool { _, heard, _ := b.counts(); return heard == 70 })
	if _, _, last := b.counts(); last != 0 {
		t.Errorf("read back %d times", last)
	}
	if others := p.ForeignWrites(); len(others) != 0 {
		t.Errorf("taken for another watcher's: %v", others)
	}
}

// A store that is older than the stream learns its own events at the start, and takes nobody for another watcher.
func TestAnOlderStoreNamesNobody(t *testing.T) {
	w := newWorld(t)
	x := w.watcher("a.db")
	x.sees(71, "Running", "")
	x.publishes(w.broker())
	older := x.copied("older.db")
	x.sees(71, "Pending", "")
	x.publishes(w.broker())
	x.store.Close()

	var log logbook
	p := older.followsTail(w.broker(), func(c *Config) { c.Log = log.logger() })
	older.knows(71, "Pending")
	if log.count("another watcher") > 0 || len(p.ForeignWrites()) > 0 {
		t.Errorf("another watcher is named:\n%s", log.String())
	}
	if log.count("the stream tells of jobs what the store did not know") != 1 || log.count("count=1") != 1 {
		t.Errorf("it does not say what it learned:\n%s", log.String())
	}
}

// A job named at the end of a round, and not reconciled, can be named again in the next one.
func TestARoundNamesJobsAgain(t *testing.T) {
	w := newWorld(t)
	x, y := w.watcher("a.db"), w.second("b.db")
	p := New(Config{Store: x.store, Broker: w.broker(), Round: time.Hour})
	p.named.add(job.ID{CommCell: "prod", Number: 71}, 1)
	run(t, p.Run)
	<-p.CaughtUp()
	y.sees(71, "Running", "")
	x.knows(71, "Running")
}

// An event from before a restart arrives late, by itself, while we cannot send it.
func TestOurOwnComesLate(t *testing.T) {
	w := newWorld(t)
	x := w.watcher("a.db")
	x.sees(71, "Running", "")
	x.restart()
	p := x.followsTail(&unlucky{Broker: w.broker(), lose: 1 << 30})
	w.sendAndForget(x, 1)
	w.until("it is known to have arrived", func() bool { return x.store.Unsent() == 0 })
	if others := p.ForeignWrites(); len(others) != 0 {
		t.Errorf("taken for another watcher's: %v", others)
	}
	w.holds(71, "1 state:  → Running")
}

func TestWhatTheTailLeavesOut(t *testing.T) {
	w := newWorld(t)
	x, y := w.watcher("a.db"), w.second("b.db")
	b := &tailSpy{Broker: w.broker()}
	x.followsTail(b, func(c *Config) { c.Follows = func(commCell string) bool { return commCell == "prod" } })
	for subject, id := range map[string]string{
		"jobs.prod.71.fall.state.running":  "",
		"jobs.prod.72.fall.state.running":  "not an id",
		"jobs.prod.73.fall":                "abc-1",
		"jobs.prod.074.fall.state.running": "abc-2",
		"jobs.lab.75.fall.state.running":   "abc-3",
		"commcells.prod.unreachable":       "abc-4",
	} {
		w.says(subject, id, "\x00{")
	}
	y.sees(76, "Running", "")
	x.knows(76, "Running")
	if _, heard, last := b.counts(); heard != 7 || last != 1 {
		t.Errorf("%d messages heard, %d jobs read, want 7 and 1", heard, last)
	}
	jobs, err := x.store.List(job.ID{}, 10)
	if err != nil || len(jobs) != 1 {
		t.Errorf("the store has %d jobs, want 1 (%v)", len(jobs), err)
	}
}

// says has somebody else publish something.
func (w *world) says(subject, id, data string) {
	w.t.Helper()
	m := nats.NewMsg(subject)
	m.Data = []byte(data)
	if id != "" {
		m.Header.Set(jetstream.MsgIDHeader, id)
	}
	if _, err := w.js().PublishMsg(w.t.Context(), m); err != nil {
		w.t.Fatal(err)
	}
}

// A message with an id like ours, and which is no event, is read and changes nothing.
func TestAMessageThatIsNoEventAtTheTail(t *testing.T) {
	w := newWorld(t)
	x, y := w.watcher("a.db"), w.second("b.db")
	var log logbook
	p := x.followsTail(w.broker(), func(c *Config) { c.Log = log.logger() })
	x.sees(71, "Running", "")
	w.until("all is sent", func() bool { return x.store.Unsent() == 0 })
	w.says("jobs.prod.71.fall.state.running", "abcdefghijklmnop-000000000001", "{}")
	w.says("jobs.prod.72.fall.state.running", "abcdefghijklmnop-000000000002", "{}")
	y.sees(73, "Running", "")
	x.knows(73, "Running")
	x.sees(71, "Completed", "")
	w.until("all is sent", func() bool { return x.store.Unsent() == 0 })
	w.holds(71, "1 state:  → Running", "foreign", "2 state: Running → Completed")
	if got := p.ForeignWrites()["prod"]; got != 1 {
		t.Errorf("another has told %d times, want once, of job 73", got)
	}
	if log.count("read later") > 0 {
		t.Errorf("it cannot be read:\n%s", log.String())
	}
}

func TestTheTailSurvives(t *testing.T) {
	for _, row := range []struct {
		what   string
		breaks func(w *world, b *tailSpy)
	}{
		{"a lost connection", func(w *world, b *tailSpy) {
			listen := strings.TrimPrefix(w.server.ClientURL(), "nats://")
			w.stopServer()
			w.startServer(listen)
		}},
		{"a deleted stream", func(w *world, b *tailSpy) { w.recreates() }},
	} {
		t.Run(row.what, func(t *testing.T) {
			w := newWorld(t)
			x := w.watcher("a.db")
			b := &tailSpy{Broker: w.broker()}
			x.followsTail(b, func(c *Config) { c.Round = 2 * time.Second })
			w.until("it is heard", func() bool { follows, _, _ := b.counts(); return follows == 1 })
			row.breaks(w, b)
			w.until("it is heard anew", func() bool { follows, _, _ := b.counts(); return follows > 1 })
			y := w.second("b.db")
			y.sees(71, "Running", "")
			x.knows(71, "Running")
		})
	}
}

func TestPublishingGoesOnWithoutTheTail(t *testing.T) {
	w := newWorld(t)
	x := w.watcher("a.db")
	b := &tailSpy{Broker: w.broker(), failing: errors.New("no consumers here")}
	var log logbook
	x.followsTail(b, func(c *Config) { c.Log, c.Round = log.logger(), 100*time.Millisecond })
	x.sees(71, "Running", "")
	w.until("all is sent", func() bool { return x.store.Unsent() == 0 })
	w.until("following is tried again", func() bool { follows, _, _ := b.counts(); return follows > 3 })
	if got := log.count("no consumers here"); got != 1 {
		t.Errorf("it is said %d times:\n%s", got, log.String())
	}
	y := w.second("b.db")
	y.knows(71, "Running")
	y.sees(71, "Pending", "")
	x.knows(71, "Pending") // the next reading of the stream
}

// The tail waits for the publish of the same job, and no other waits for it.
func TestTheTailWaitsForTheJob(t *testing.T) {
	w := newWorld(t)
	x, y := w.watcher("a.db"), w.second("b.db")
	b := &tailSpy{Broker: w.broker(), hold: make(chan struct{})}
	x.followsTail(b)
	x.sees(71, "Running", "")
	w.until("it is under way", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.inside["jobs.prod.71.>"]
	})
	y.sees(71, "Pending", "")
	w.until("y has told", func() bool { return y.store.Unsent() == 0 })
	for number := int64(72); number < 80; number++ {
		y.sees(number, "Running", "")
		x.knows(number, "Running")
	}
	if told := x.recalls(71).Told.State; told != "Running" {
		t.Errorf("while our event is under way, what was told becomes %s", told)
	}
	close(b.hold)
	x.knows(71, "Pending")
	if len(b.overlaps) > 0 {
		t.Errorf("published and read at once: %q", b.overlaps)
	}
	w.holds(71, "1 state:  → Pending")
}

// Two watchers see each state of some jobs, in turns or at once. Each state is told once, and both know it.
func TestTwoWatchersNoticeEachOther(t *testing.T) {
	w := newWorld(t)
	both := []*watcher{w.second("a.db"), w.second("b.db")}
	states := []job.Text{"Waiting", "Running", "Pending", "Running", "Suspended", "Running", "Completed"}
	jobs := []int64{71, 72, 73, 74}
	want := []string{}
	for i, state := range states {
		for _, number := range jobs {
			first := (i + int(number)) % 2
			both[first].polls(number, state)
			if number%2 == 0 {
				both[1-first].knows(number, state)
			}
			both[1-first].polls(number, state)
		}
		w.until("both know it", func() bool {
			known := true
			for _, number := range jobs {
				known = both[0].isSettled(number, state) && both[1].isSettled(number, state) && known
			}
			return known && both[0].store.Unsent()+both[1].store.Unsent() == 0
		})
		before := job.Text("")
		if i > 0 {
			before = states[i-1]
		}
		want = append(want, fmt.Sprintf("%d state: %s → %s", i+1, before, state))
	}
	for _, number := range jobs {
		w.holds(number, want...)
	}
}

// isSettled polls where a refresh is pending, and says whether the state is known to be told.
func (x *watcher) isSettled(number int64, state job.Text) bool {
	if x.recalls(number).RefreshPending {
		x.polls(number, state)
	}
	known := x.recalls(number)
	return !known.RefreshPending && known.Told.State == state
}

// polls is sees, again where a foreign event came meanwhile.
func (x *watcher) polls(number int64, state job.Text) {
	x.w.t.Helper()
	for {
		err := x.commits(number, state, "")
		if !errors.Is(err, store.ErrChanged) {
			if err != nil {
				x.w.t.Fatal(err)
			}
			return
		}
	}
}

// logbook keeps what is logged.
type logbook struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logbook) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *logbook) count(text string) int { return strings.Count(l.String(), text) }
