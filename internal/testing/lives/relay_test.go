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
	stuck   int         // a job of which it takes nothing; 0: none
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
	slow.Test(t, "8 s", "what a relay promises holds whatever is killed, cut off and lost")
	for n := range 100 {
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

// The end of a parking is lost on the way back, an event arrives just then, and the relay is killed. Of 3,000 lives one
// showed that the event was passed over.
func TestAKillWhenAParkedJobReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &relayWorld{
			random: rand.New(rand.NewPCG(1, 14)), told: map[int]int{}, arrived: map[int][]int{}, began: time.Now(), jobs: 2,
			stream: modelbroker.New(modelbroker.Config{}), healed: true, stuck: 1,
		}
		returned := make(chan bool)
		var once sync.Once
		p := w.startBehind("a", func(_ context.Context, c modelbroker.Call) (err error) {
			if c.End && c.Operation == "Delete" && strings.Contains(c.Subject, ".parked.") {
				once.Do(func() {
					w.tell(1)
					time.Sleep(100 * time.Millisecond) // it is delivered
					err = errLost
					close(returned)
				})
			}
			return err
		})
		time.Sleep(time.Second)
		for range 60 { // longer than a job is refused before it is parked
			w.tell(1)
			w.tell(2)
			time.Sleep(time.Second)
		}
		w.mu.Lock()
		w.stuck = 0
		w.mu.Unlock()
		<-returned
		time.Sleep(10 * time.Millisecond)
		p.kill()
		p = w.start("b")
		time.Sleep(time.Minute)
		p.end()
		if !w.complete() || len(w.wrong) > 0 {
			t.Errorf("%v told, %v arrived: %s", w.told, w.arrived, w.wrong)
		}
	})
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

func (w *relayWorld) start(name string) *relayProcess { return w.startBehind(name, nil) }

// startBehind starts a process whose requests pass a gate; nil: that which loses some.
func (w *relayWorld) startBehind(name string, gate func(context.Context, modelbroker.Call) error) *relayProcess {
	ctx, stop := context.WithCancel(context.Background())
	p := &relayProcess{world: w, name: name, conn: w.stream.Connect(), stop: stop, ended: make(chan struct{})}
	p.conn.Gate = gate
	if gate == nil {
		p.conn.Gate = p.gate
	}
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
	switch w.below(14) {
	case 0, 12:
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
	case 7:
		stuck := w.below(w.jobs + 1)
		w.say("job %d is refused from now on", stuck)
		w.mu.Lock()
		w.stuck = stuck
		w.mu.Unlock()
		time.Sleep(time.Duration(w.below(60)) * time.Second)
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
	w.healed, w.away, w.stuck = true, false, 0
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
	often := 50
	if strings.Contains(c.Subject, ".parked.") && c.End {
		often = 3
	}
	lost := !p.world.healed && p.world.random.IntN(often) == 0
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
	killed, away, healed, stuck := p.killed, w.away, w.healed, w.stuck == int(e.Job.Number) && w.stuck > 0
	w.mu.Unlock()
	switch {
	case killed:
		<-ctx.Done()
		return ctx.Err()
	case away:
		return &relay.Refusal{Kind: relay.Away, Reason: "no connection"}
	case stuck || fate == 0 && !healed:
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
