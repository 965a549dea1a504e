package endtoend

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"jobwatch/internal/sim"
	"jobwatch/internal/testing/slow"
)

// TestClusterHands has a person untrack and track a job at members that do not poll it: who polls it heeds that, and who takes
// over from it does, too.
func TestClusterHands(t *testing.T) {
	slow.Test(t, "30 s", "what is said to one process is heeded by another, and by a third that takes over")
	t.Parallel()
	w := newClusterWorld(t, clusterPlan{seed: seeds(t)[0], members: 3, commCells: 3, servers: 1, jobs: 2})
	c := w.cells[0] // each poll of which asks for all jobs
	const job = 71
	c.sim.Add(sim.Job{ID: job, Client: "fall", Steps: []sim.Step{{At: -time.Minute, State: "Running", Phase: "Scan"}}})
	asked := func(since time.Time) bool {
		return slices.ContainsFunc(c.since(since), func(a ask) bool { return a.job == job })
	}
	w.start()
	w.settled()
	w.until("it is polled", func() bool { return asked(time.Now().Add(-quiet)) })
	other := func() *member { return w.members[(c.polls()+1)%len(w.members)] }
	owner := w.members[c.polls()].name
	w.until("who does not poll it says who follows it", func() bool {
		return strings.Contains(typed(t, "jobs", "list", "--commcell", "c1", "-c", other().config).Out, "followed by "+owner) &&
			strings.Contains(typed(t, "jobs", "show", "c1/71", "-o", "json", "-c", other().config).Out, fmt.Sprintf("%q: %q", "followedBy", owner))
	})
	if said := typed(t, "jobs", "list", "--commcell", "c1", "-c", w.members[c.polls()].config).Out; strings.Contains(said, "followed by") {
		t.Errorf("who polls it says: %s", said)
	}
	typed(t, "jobs", "untrack", "c1/71", "-c", other().config).Succeeds(t)
	w.until("it is polled no more", func() bool { return c.alone(c.polls()) && !asked(time.Now().Add(-quiet)) })

	m := w.members[c.polls()]
	at := w.kill(m)
	w.taken([]*sharedCell{c}, m, at, false)
	w.until("the next one polls the CommCell", func() bool { return c.alone(c.polls()) })
	if asked(at) {
		t.Error("who took over polls a job that was untracked")
	}
	w.start(m)
	w.joined(m)
	typed(t, "jobs", "track", "c1/71", "-c", m.config).Succeeds(t)
	w.until("it is polled again", func() bool { return asked(time.Now().Add(-quiet)) })
	if c.polls() == m.who {
		t.Log("the CommCell came back to who was told")
	}
}
