package endtoend

import (
	"os"
	"testing"
	"time"

	"jobwatch/internal/testing/slow"
)

// TestClusterUnderFire has three watchers share six CommCells, kills one every 20 seconds and starts it again: before or
// after others have taken over.
// JOBWATCH_CLUSTER_FIRE=5m lasts so long, with 5,000 jobs; the other tests of the cluster are long then, too.
func TestClusterUnderFire(t *testing.T) {
	slow.Test(t, "90 s", "three real watchers are killed one by one, and what the stream tells is judged as a whole")
	t.Parallel()
	lasts := time.Minute
	if text := os.Getenv(clusterLong); text != "" {
		var err error
		if lasts, err = time.ParseDuration(text); err != nil {
			t.Fatalf("%s: %v", clusterLong, err)
		}
	}
	const every = 20 * time.Second
	seed := seeds(t)[0]
	t.Logf("JOBWATCH_SEED=%d", seed)
	plan := clusterPlan{seed: seed, members: 3, commCells: 6, servers: 1, jobs: 10, arrivals: 1, most: int((lasts + 10*time.Second).Seconds())}
	if lasts >= 5*time.Minute {
		plan.jobs, plan.arrivals, plan.most = 14, 2.75, 820
	}
	w := newClusterWorld(t, plan)
	w.start()
	w.settled()
	w.saysWhoPolls()
	var taken, back []takeover
	began := time.Now()
	for round := 0; time.Since(began) < lasts; round++ {
		m := w.busiest(round)
		cells := w.cellsOf(m)
		at := w.kill(m)
		if round%2 == 0 {
			taken = append(taken, w.taken(cells, m, at, false)...)
			w.start(m)
		} else {
			w.pass(at.Add(2 * time.Second))
			w.start(m)
			back = append(back, w.taken(cells, m, at, true)...)
		}
		w.pass(began.Add(time.Duration(round+1) * every))
	}
	w.settled()
	w.saysWhoPolls()
	if longest := max(w.table("taken over from one that stays away", taken), w.table("from one that comes back soon", back)); longest > promised(takesOver) {
		t.Errorf("a takeover took %v, promised are %v", longest, takesOver)
	}
	both, cell := w.twice()
	t.Logf("two polled one CommCell for %.2f s at most: %s", both.Seconds(), cell)
	if both > promised(takesOver) {
		t.Errorf("%s: polled for %v", cell, both)
	}
	w.finale()
}
