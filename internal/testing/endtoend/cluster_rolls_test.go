package endtoend

import (
	"slices"
	"strings"
	"testing"
	"time"

	"jobwatch/internal/testing/slow"
)

// TestClusterRolls restarts three watchers one by one, as an upgrade does, twice. Before the first time they know of no
// cluster, and each polls all.
func TestClusterRolls(t *testing.T) {
	slow.Test(t, "90 s", "six restarts of real watchers, each of which takes over and gives away")
	t.Parallel()
	w := newClusterWorld(t, clusterPlan{seed: seeds(t)[0], members: 3, commCells: 6, servers: 1, jobs: 5, arrivals: 0.5, most: 25})
	for _, m := range w.members {
		w.configure(m, false)
		w.start(m)
	}
	w.until("all poll each CommCell", func() bool {
		return !slices.ContainsFunc(w.cells, func(c *sharedCell) bool {
			return slices.ContainsFunc(w.members, func(m *member) bool { return len(c.spans(m.who)) == 0 })
		})
	})
	roll := func() {
		for _, m := range w.members {
			w.configure(m, true)
			w.stop(m)
			w.start(m)
			w.until(m.name+" is ready", m.ready)
		}
		w.settled()
		w.saysWhoPolls()
	}
	roll()
	began := time.Now()
	roll()
	for _, c := range w.cells {
		chain := w.chain(c, began)
		t.Logf("%s: %s", c.name, chain)
		if moves := strings.Count(chain, "→"); moves > 2 {
			t.Errorf("%s moved %d times in one round, promised are two", c.name, moves)
		}
	}
	w.finale()
}

// TestClusterSpreads has a third watcher come to two: CommCells move to it one by one, and seldom. The long form waits until
// they are spread evenly, and sees that nothing moves then.
func TestClusterSpreads(t *testing.T) {
	slow.Test(t, "2 min", "nothing moves before the members have been the same for a minute")
	t.Parallel()
	const spreads = 5 * time.Minute
	w := newClusterWorld(t, clusterPlan{seed: seeds(t)[0], members: 3, commCells: 6, servers: 1, jobs: 5, arrivals: 0.1, most: 8})
	w.start(w.members[:2]...)
	w.settled()
	third := w.members[2]
	w.start(third)
	began := time.Now()
	moves := func() (n int) {
		for _, c := range w.cells {
			n += strings.Count(w.chain(c, began), "→")
		}
		return n
	}
	spread := func() bool {
		if !isLong() {
			return len(w.cellsOf(third)) > 0
		}
		return !slices.ContainsFunc(w.members, func(m *member) bool { return len(w.cellsOf(m)) != 2 })
	}
	w.within(promised(spreads), "CommCells move to the third", spread, w.lately)
	w.settled()
	moved := moves()
	t.Logf("%d CommCells have moved in %v", moved, time.Since(began))
	if most := longOr(2, 4); moved > most {
		t.Errorf("%d CommCells have moved, where %d had to", moved, most)
	}
	if isLong() {
		w.pass(time.Now().Add(3 * time.Minute))
		if moves() > moved {
			t.Errorf("%d more have moved, though they were spread evenly", moves()-moved)
		}
	}
	both, cell := w.twice()
	t.Logf("two polled one CommCell for %.2f s at most: %s", both.Seconds(), cell)
	w.finale()
}

// ready says whether a member's light is green.
func (m *member) ready() bool {
	code, _ := fetch("http://" + m.http + "/readyz")
	return code == 200
}
