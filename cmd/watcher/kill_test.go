package main

import (
	"strings"
	"sync"
	"testing"
	"time"

	"jobwatch/internal/sim"
)

const (
	killJobs = 200
	kills    = 24
)

// TestKill kills the watcher at random moments while 200 jobs move on, NATS comes and goes, and
// acknowledgements get lost, and then holds the stream against what the CommServe had answered.
func TestKill(t *testing.T) {
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	var clock lifeClock
	clock.run(0.6)
	w := newWorld(t, seed, sim.New(sim.Config{Seed: seed, Jobs: killJobs, Clock: clock.now}))
	w.sim.Fault(sim.Fault{Kind: sim.CutShort, Rate: 0.01})
	w.sim.Fault(sim.Fault{Kind: sim.LoginPage, Op: sim.OpJobDetails, Rate: 0.01})
	w.sim.Fault(sim.Fault{Kind: sim.OtherJob, Rate: 0.01})
	w.sim.Fault(sim.Fault{Kind: sim.TokenRevoked, Rate: 0.002})
	for round := range kills {
		w.start()
		w.trouble(round)
		w.progress(1 + w.random.IntN(killJobs/2))
		w.kill()
		w.peace()
	}
	w.sim.Heal()
	w.start()
	clock.run(4)
	w.until("every job's end is seen", func() bool { return allEnded(w.sim.Served(), killJobs) })
	w.judge()
	w.stop()
}

// trouble is what NATS does in a round besides the kill at its end.
func (w *world) trouble(round int) {
	switch round % 4 {
	case 1:
		w.progress(killJobs / 2)
		w.proxy.swallow()
		if round%8 == 1 {
			w.missAcknowledgement()
		}
	case 2:
		w.progress(killJobs / 2)
		w.stopNATS()
	case 3:
		w.proxy.swallow()
		w.progress(killJobs / 2)
		w.proxy.pass()
	}
}

// peace undoes the trouble, now or a while later.
func (w *world) peace() {
	if w.nats == nil {
		w.startNATS(w.proxy.target)
	}
	w.proxy.pass()
}

// missAcknowledgement waits until the watcher has given an acknowledgement up and sent its event again, long
// after the stream's duplicate window.
func (w *world) missAcknowledgement() {
	missed := func() int { return strings.Count(w.said.String(), "not acknowledged") }
	before := missed()
	w.until("an acknowledgement is missed", func() bool { return missed() > before })
	w.progress(killJobs / 4)
}

// lifeClock lets the jobs live faster once nothing is left but to see their ends.
type lifeClock struct {
	mu    sync.Mutex
	speed float64       // guarded by mu, as the rest is
	since time.Time     // the speed is in force,
	at    time.Duration // and what it showed then
}

func (c *lifeClock) run(speed float64) {
	at := c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.speed, c.since, c.at = speed, time.Now(), at
}

func (c *lifeClock) now() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.speed == 0 {
		return 0
	}
	return c.at + time.Duration(c.speed*float64(time.Since(c.since)))
}
