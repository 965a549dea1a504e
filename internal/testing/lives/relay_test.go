package lives

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"jobwatch/internal/relay"
	"jobwatch/internal/stream"
	"jobwatch/internal/testing/modelbroker"
	"jobwatch/internal/testing/slow"
)

// relayWorld is the life of one relay, which two watchers have: what is told, what befalls them, and what arrives.
type relayWorld struct {
	stream *modelbroker.Stream
	jobs   int

	mu      sync.Mutex
	random  *rand.Rand
	healed  bool
	away    bool        // the destination takes nothing
	told    map[int]int // job => events
	arrived map[int][]int
	wrong   []string
	began   time.Time
	story   strings.Builder
}

// relayProcess is a watcher from its start to its end.
type relayProcess struct {
	world  *relayWorld
	name   string
	conn   *modelbroker.Conn
	stop   context.CancelFunc
	ended  chan struct{}
	killed bool // guarded by the world's mu
}

func TestLivesOfARelay(t *testing.T) {
	slow.Test(t, "15 s", "what a relay promises holds whatever is killed, cut off and lost, for weeks of its time")
	for n := range 300 {
		seed := uint64(n)
		synctest.Test(t, func(t *testing.T) { liveRelay(t, seed) })
		if t.Failed() {
			return
		}
	}
}

func liveRelay(t *testing.T, seed uint64) {
	w := &relayWorld{
		random: rand.New(rand.NewPCG(seed, 14)), told: map[int]int{}, arrived: map[int][]int{}, began: time.Now(),
		stream: modelbroker.New(modelbroker.Config{Replicated: seed%2 == 1}),
	}
	w.jobs = 1 + w.below(8)
	two := []*relayProcess{w.start("a"), w.start("b")}
	for range 60 {
		time.Sleep(time.Duration(w.below(4000)) * time.Millisecond)
		w.strike(two)
	}
	w.heal(two)
	for n := 0; n < 600 && !w.complete(); n++ {
		time.Sleep(time.Second)
	}
	if !w.complete() {
		w.blame("not all has arrived: %v told, %v arrived", w.told, w.arrived)
	}
	if dead, err := two[0].conn.Log(relay.LogName("JOBS"), nil).Count(t.Context(), "relays.ops.dead.>"); err != nil || len(dead) > 0 {
		w.blame("dead letters: %v, %v", dead, err)
	}
	for _, p := range two {
		p.end()
	}
	if len(w.wrong) > 0 {
		t.Errorf("seed %d: %s\n%s", seed, strings.Join(w.wrong, "\n"), w.story.String())
	}
}

func (w *relayWorld) below(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.random.IntN(n)
}

func (w *relayWorld) say(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	fmt.Fprintf(&w.story, "%8.3f ", time.Since(w.began).Seconds())
	fmt.Fprintf(&w.story, format+"\n", args...)
}

func (w *relayWorld) blame(format string, args ...any) {
	w.say(format, args...)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wrong = append(w.wrong, fmt.Sprintf(format, args...))
}

func (w *relayWorld) start(name string) *relayProcess {
	ctx, stop := context.WithCancel(context.Background())
	p := &relayProcess{world: w, name: name, conn: w.stream.Connect(), stop: stop, ended: make(chan struct{})}
	p.conn.Gate = p.gate
	r := relay.New(relay.Config{
		Name: "ops", Subjects: []string{"jobs.>"}, Start: relay.Start{All: true}, Concurrency: 4, Timeout: 15 * time.Second,
		Together: 1 + w.below(3), Destination: p, Broker: p.conn, Stream: "JOBS", Host: name, Log: slog.New(slog.DiscardHandler),
	})
	go func() {
		defer close(p.ended)
		_ = r.Run(ctx)
	}()
	w.say("%s starts", name)
	return p
}

// end ends a process. What it does after that reaches nobody.
func (p *relayProcess) end() {
	p.stop()
	<-p.ended
}

func (p *relayProcess) kill() {
	p.world.mu.Lock()
	p.killed = true
	p.world.mu.Unlock()
	p.conn.Cut()
	p.end()
}

// strike lets something happen.
func (w *relayWorld) strike(two []*relayProcess) {
	i := w.below(2)
	p := two[i]
	switch w.below(12) {
	case 0:
		w.say("%s is killed", p.name)
		p.kill()
		two[i] = w.start(p.name)
	case 1:
		w.say("%s stops", p.name)
		p.end()
		two[i] = w.start(p.name)
	case 2:
		w.say("%s is cut off", p.name)
		p.conn.Cut()
		time.Sleep(time.Duration(w.below(20)) * time.Second)
		p.conn.Restore()
	case 3:
		w.say("the server restarts")
		w.stream.Restart()
		for _, p := range two {
			p.conn.Cut()
			p.conn.Restore()
		}
	case 4:
		w.say("the consumer is deleted")
		w.stream.DeleteConsumer("relay-ops")
	case 5:
		w.say("the destination goes, or comes back")
		w.mu.Lock()
		w.away = !w.away
		w.mu.Unlock()
	case 6:
		w.say("the consumer is paused")
		w.stream.PauseConsumer("relay-ops", time.Now().Add(time.Duration(w.below(30))*time.Second))
	default:
		for range w.below(40) {
			w.tell(1 + w.below(w.jobs))
		}
	}
}

func (w *relayWorld) tell(job int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	m := stream.Outgoing{
		Subject: fmt.Sprintf("jobs.prod.%d.fall.state.running", job), Filter: fmt.Sprintf("jobs.prod.%d.>", job),
		ID: fmt.Sprintf("%s-%d-%d", "q7m2xk3vb9t4hs6c", job, w.told[job]+1),
	}
	for {
		_, _, err := w.stream.Store(m)
		var last *stream.SequenceError
		if errors.As(err, &last) {
			m.ExpectLast = last.Last
			continue
		}
		if err == nil {
			w.told[job]++
		}
		return
	}
}

func (w *relayWorld) heal(two []*relayProcess) {
	w.say("all is well from now on")
	w.mu.Lock()
	w.healed, w.away = true, false
	w.mu.Unlock()
	w.stream.PauseConsumer("relay-ops", time.Time{})
	for _, p := range two {
		p.conn.Restore()
	}
}

func (w *relayWorld) complete() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for job, n := range w.told {
		if a := w.arrived[job]; len(a) == 0 || highest(a) < n {
			return false
		}
	}
	return true
}

func highest(all []int) (most int) {
	for _, n := range all {
		most = max(most, n)
	}
	return most
}

var errLost = errors.New("no answer in time")

// gate loses a request in fifty, before or after it happens.
func (p *relayProcess) gate(ctx context.Context, c modelbroker.Call) error {
	p.world.mu.Lock()
	lost := !p.world.healed && p.world.random.IntN(50) == 0
	p.world.mu.Unlock()
	if !lost {
		return nil
	}
	p.world.say("%s: %s of %s is lost (end: %v)", p.name, c.Operation, c.Subject, c.End)
	return errLost
}

// Deliver takes time, and now and then is refused, or is done and not answered.
func (p *relayProcess) Deliver(ctx context.Context, b relay.Batch) (done int, err error) {
	for _, e := range b.Events {
		if err := p.deliver(ctx, e); err != nil {
			return done, err
		}
		done++
	}
	return done, nil
}

func (p *relayProcess) deliver(ctx context.Context, e *relay.Event) error {
	w := p.world
	w.mu.Lock()
	fate, takes := w.random.IntN(20), time.Duration(w.random.IntN(800))*time.Millisecond
	killed, away, healed := p.killed, w.away, w.healed
	w.mu.Unlock()
	switch {
	case killed:
		<-ctx.Done()
		return ctx.Err()
	case away:
		return &relay.Refusal{Kind: relay.Away, Reason: "no connection"}
	case fate == 0 && !healed:
		return &relay.Refusal{Kind: relay.Uncertain, Reason: "HTTP 500", Status: 500}
	}
	w.arrives(p, e)
	select {
	case <-time.After(takes):
	case <-ctx.Done():
		return ctx.Err()
	}
	if fate == 1 && !healed {
		return &relay.Refusal{Kind: relay.Uncertain, Reason: "cut off"}
	}
	return nil
}

// arrives holds an event against what has arrived of its job: one that is new comes right behind the last new one.
func (w *relayWorld) arrives(p *relayProcess, e *relay.Event) {
	var job, n int
	if _, err := fmt.Sscanf(strings.ReplaceAll(e.ID, "-", " "), "q7m2xk3vb9t4hs6c %d %d", &job, &n); err != nil {
		w.blame("%s: %v", e.ID, err)
		return
	}
	w.say("%s delivers %d/%d", p.name, job, n)
	w.mu.Lock()
	before := highest(w.arrived[job])
	w.arrived[job] = append(w.arrived[job], n)
	w.mu.Unlock()
	if n > before+1 {
		w.blame("%d/%d arrives after %d/%d", job, n, job, before)
	}
}
