package endtoend

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"jobwatch/internal/testing/slow"
)

// TestClusterRolls restarts three watchers one by one, as an upgrade does, twice. Before the first time they are of an older
// version, or of this one and know of no cluster, where each polls all. With an older version they then go back to it, and
// are upgraded once more.
func TestClusterRolls(t *testing.T) {
	slow.Test(t, "90 s", "six restarts of real watchers, each of which takes over and gives away")
	t.Parallel()
	most := 25
	if os.Getenv(olderWatcher) != "" {
		most = 100
	}
	w := newClusterWorld(t, clusterPlan{seed: seeds(t)[0], members: 3, commCells: 6, servers: 1, jobs: 5, arrivals: 0.5, most: most})
	older := w.older()
	for _, m := range w.members {
		w.runs(m, older)
		w.start(m)
	}
	w.polled(older)
	w.roll(older, present)
	w.roll(present, present)
	if older.program != "" {
		w.roll(present, older)
		w.roll(older, present)
	}
	w.finale()
}

// roll restarts the members one by one with another version, or the same.
func (w *clusterWorld) roll(from, to build) {
	w.t.Helper()
	began := time.Now()
	for _, m := range w.members {
		w.stop(m)
		w.runs(m, to)
		w.start(m)
		w.until(m.name+" is ready", func() bool { return m.ready() || m.meetsNewer() })
	}
	if slices.ContainsFunc(w.members, (*member).meetsNewer) {
		w.t.Log("the bucket is of a newer layout: deleted, as docs/cluster.md says")
		w.deleteBucket()
	}
	w.polled(to)
	if !from.shares || !to.shares {
		return
	}
	for _, c := range w.cells {
		chain := w.chain(c, began)
		w.t.Logf("%s: %s", c.name, chain)
		if moves := strings.Count(chain, "→"); moves > 2 {
			w.t.Errorf("%s moved %d times in one round, promised are two", c.name, moves)
		}
	}
}

// polled waits until each CommCell is polled by one member, or by all where they do not share.
func (w *clusterWorld) polled(by build) {
	w.t.Helper()
	if by.shares {
		w.settled()
		w.saysWhoPolls()
		return
	}
	began := time.Now()
	w.until("all poll each CommCell", func() bool {
		return !slices.ContainsFunc(w.cells, func(c *sharedCell) bool {
			asks := c.since(began)
			return slices.ContainsFunc(w.members, func(m *member) bool {
				return !slices.ContainsFunc(asks, func(a ask) bool { return a.list && a.who == m.who })
			})
		})
	})
}

// meetsNewer says whether a member takes nothing, since the bucket holds what it does not know.
func (m *member) meetsNewer() bool { return strings.Contains(m.said.String(), "claims nothing more") }

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
