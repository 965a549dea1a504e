package endtoend

import (
	"strings"
	"testing"
	"time"

	"jobwatch/internal/sim"
	"jobwatch/internal/testing/slow"
)

const (
	killJobs = 200
	kills    = 24
)

// TestKill kills the watcher at random moments while 200 jobs move on, NATS comes and goes, and
// acknowledgements get lost, and then holds the stream against what the CommServe had answered.
func TestKill(t *testing.T) {
	slow.Test(t, "1 min", "a real process is killed at random moments: what a crash leaves on a disk is in no model")
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	clock := &lifeClock{step: 7 * time.Millisecond}
	w := newWorld(t, seed, sim.New(sim.Config{Seed: seed, Jobs: killJobs, Clock: clock.now}), clock.turnedBy)
	w.clock = clock
	w.sim.Fault(sim.Fault{Kind: sim.CutShort, Rate: 0.01})
	w.sim.Fault(sim.Fault{Kind: sim.LoginPage, Op: sim.OpJobDetails, Rate: 0.01})
	w.sim.Fault(sim.Fault{Kind: sim.OtherJob, Rate: 0.01})
	w.sim.Fault(sim.Fault{Kind: sim.TokenRevoked, Rate: 0.002})
	for round := range kills {
		w.start()
		w.trouble(round)
		w.moves(1 + w.random.IntN(killJobs/2))
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

// moves waits until the watcher has asked for so many more jobs, or for all that its list shows to have changed: jobs that
// live by what is asked do not change while none is.
func (w *world) moves(more int) {
	before := w.sim.Counts()
	w.until("the watcher asks", func() bool {
		now := w.sim.Counts()
		return now[sim.OpJobDetails] >= before[sim.OpJobDetails]+more || now[sim.OpList] >= before[sim.OpList]+3
	})
}

// trouble is what NATS does in a round besides the kill at its end.
func (w *world) trouble(round int) {
	switch round % 4 {
	case 1:
		w.moves(killJobs / 2)
		if round%8 == 1 {
			w.acknowledged() // or a start that still reads the stream misses that, and nothing is sent
			w.proxy.swallow()
			w.missAcknowledgement()
			return
		}
		w.proxy.swallow()
	case 2:
		w.moves(killJobs / 2)
		w.stopNATS()
	case 3:
		w.proxy.swallow()
		w.moves(killJobs / 2)
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
	w.moves(killJobs / 4)
}
