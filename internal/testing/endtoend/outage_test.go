package endtoend

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"jobwatch/internal/sim"
	"jobwatch/internal/testing/slow"
)

const outageJobs = 50

// TestOutage takes NATS away for six simulated seconds, in which every job changes three times:
// polling goes on, and all three arrive afterwards, once and in order.
func TestOutage(t *testing.T) {
	slow.Test(t, "3 s", "NATS is away for six simulated seconds of a real process")
	var now atomic.Int64
	play := sim.New(sim.Config{Clock: func() time.Duration { return time.Duration(now.Load()) }})
	for number := int64(1); number <= outageJobs; number++ {
		play.Add(sim.Job{ID: number, Client: fmt.Sprintf("client-%d", number), Steps: []sim.Step{
			{State: "Running", Phase: "Scan"},
			{At: 2 * time.Second, State: "Running", Phase: "Backup"},
			{At: 4 * time.Second, State: "Running", Phase: "Archive Index"},
			{At: 6 * time.Second, State: "Completed"},
		}})
	}
	w := newWorld(t, 1, play)
	w.start()
	w.seen("Running", "Scan")
	w.judge()
	w.stopNATS()
	for _, step := range []struct {
		at           time.Duration
		state, phase string
	}{
		{2 * time.Second, "Running", "Backup"},
		{4 * time.Second, "Running", "Archive Index"},
		{6 * time.Second, "Completed", ""},
	} {
		now.Store(int64(step.at))
		w.seen(step.state, step.phase)
	}
	w.startNATS(w.proxy.target)
	w.judge()
	w.stop()
	if got, want := len(w.read()), outageJobs*(2+3); got != want {
		t.Errorf("%d events, want %d", got, want)
	}
}

// seen waits until every job has been answered with a state and phase, and asked for again or ended.
func (w *world) seen(state, phase string) {
	w.t.Helper()
	w.until("every job is seen as "+state+" "+phase, func() bool {
		jobs := map[int64]bool{}
		for _, a := range w.sim.Served() {
			if a.Whole && a.State == state && a.Phase == phase {
				jobs[a.JobID] = true
			}
		}
		return len(jobs) == outageJobs
	})
}
