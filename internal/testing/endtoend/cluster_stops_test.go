package endtoend

import (
	"testing"
	"time"

	"jobwatch/internal/testing/slow"
)

// TestClusterStops stops the watcher that polls most, as an administrator does: others poll its CommCells at once.
func TestClusterStops(t *testing.T) {
	slow.Test(t, "40 s", "what a stop hands over to another process is measured there")
	t.Parallel()
	rounds := longOr(3, 20)
	w := newClusterWorld(t, clusterPlan{seed: seeds(t)[0], members: 3, commCells: 6, servers: 1, jobs: 5, arrivals: 0.3, most: 3 * rounds})
	w.start()
	w.settled()
	var all []takeover
	quickest := time.Hour
	for round := range rounds {
		m := w.busiest(round)
		cells := w.cellsOf(m)
		handed := w.taken(cells, m, w.stop(m), false)
		all = append(all, handed...)
		for _, each := range handed {
			quickest = min(quickest, each.took)
		}
		w.start(m)
		w.joined(m)
		w.settled()
	}
	if longest := w.table("handed over", all); longest > promised(handsOver) {
		t.Errorf("a CommCell was handed over after %v, promised are %v", longest, handsOver)
	}
	if quickest > 2*handsOver { // who dies without a word is missed no sooner than that
		t.Errorf("none was handed over: the quickest was taken after %v", quickest)
	}
	both, cell := w.twice()
	t.Logf("two polled one CommCell for %.2f s at most: %s", both.Seconds(), cell)
	w.finale()
}

// TestClusterWithItsServer has three NATS servers, and a watcher connected to each of them: one is lost together with the
// watcher that polls most.
func TestClusterWithItsServer(t *testing.T) {
	slow.Test(t, "1 min", "three real NATS servers choose new leaders when one is killed")
	t.Parallel()
	rounds := longOr(2, 20)
	w := newClusterWorld(t, clusterPlan{seed: seeds(t)[0], members: 3, commCells: 3, servers: 3, jobs: 5, arrivals: 0.5, most: 10 * rounds})
	w.start()
	w.settled()
	var all []takeover
	for round := range rounds {
		m := w.busiest(round)
		cells := w.cellsOf(m)
		at := w.kill(m)
		w.three[m.who].kill()
		all = append(all, w.taken(cells, m, at, false)...)
		w.three[m.who].start()
		w.whole()
		w.start(m)
		w.joined(m)
		w.settled()
	}
	if longest := w.table("taken over with its server", all); longest > promised(takesOver) {
		t.Errorf("a takeover took %v, promised are %v", longest, takesOver)
	}
	w.finale()
}
