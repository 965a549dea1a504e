package endtoend

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"jobwatch/internal/sim"
	"jobwatch/internal/testing/slow"
)

// TestClusterAtTheDesk has people ask any member, and a machine whose watcher is stopped: what they say reaches the member
// that polls the CommCell, and what they are shown is how it is.
func TestClusterAtTheDesk(t *testing.T) {
	slow.Test(t, "40 s", "members join, one leaves, one dies, with their real ticks")
	t.Parallel()
	w := newClusterWorld(t, clusterPlan{seed: 31, members: 3, commCells: 2, servers: 1, jobs: 3})
	typed(t, "cluster", "status", "-c", w.members[0].config).Fails(t, failed, "no watcher takes part in the cluster of stream JOBS")
	w.start(w.members[:2]...)
	owners := w.settled()
	owner, other := w.members[owners[0]], w.members[1-owners[0]]
	cell := w.cells[0]

	// Jobs that the CommServe does not know are in no list.
	typed(t, "jobs", "track", cell.name+"/9001", "-c", other.config).Succeeds(t, "tracked")
	w.asks(cell, owner, 9001)
	w.request(cell.name, "track", `{"job": 9002}`)
	w.asks(cell, owner, 9002)
	typed(t, "jobs", "track", cell.name+"/9003", "-c", w.members[2].config).Succeeds(t, "tracked") // no watcher runs there
	w.asks(cell, owner, 9003)
	w.answersAlone(cell.name)
	typed(t, "jobs", "untrack", cell.name+"/9001", "-c", other.config).Succeeds(t)
	w.until("the owner knows that it is untracked", func() bool {
		said := typed(t, "jobs", "show", cell.name+"/9001", "-c", owner.config, "-o", "json").Succeeds(t)
		return strings.Contains(said.Out, `"tracked": "untracked"`) || strings.Contains(said.Out, `"tracked":"untracked"`)
	})

	typed(t, "jobs", "track", cell.name+"/9004", "-c", other.config).Succeeds(t, "tracked")
	w.asks(cell, owner, 9004)
	typed(t, "cluster", "leave", "nobody", "-c", other.config).Fails(t, failed, "no such member of the cluster: nobody")
	left := typed(t, "cluster", "leave", owner.name, "-c", other.config).Succeeds(t, owner.name+" has given away "+cell.name)
	if want := fmt.Sprintf("%s (%s polls it)", cell.name, other.name); !strings.Contains(left.Out, want) {
		t.Errorf("got %s, want %s", left.Out, want)
	}
	w.until("the other polls all", func() bool { return len(w.cellsOf(other)) == 2 })
	w.asks(cell, other, 9004) // what was said of it is not forgotten
	typed(t, "cluster", "leave", "-c", owner.config).Succeeds(t, owner.name+" polls nothing, and takes nothing more until its next start")

	w.start(w.members[2])
	w.joined(w.members[2])
	w.saysWhoPolls()
	w.kill(other)
	w.until("the third polls all", func() bool { return len(w.cellsOf(w.members[2])) == 2 })
	w.until("the status says who is dead, and who was told to leave", func() bool {
		out := typed(t, "cluster", "status", "-c", w.members[2].config).Succeeds(t).Out
		return strings.Contains(out, other.name+" is dead: not heard of for ") && strings.Contains(out, owner.name+" was told to leave")
	})
	w.kill(owner)
	w.kill(w.members[2])
	typed(t, "cluster", "status", "-c", owner.config).Succeeds(t, "all members are dead: nothing is polled")
	for _, c := range w.status(owner).CommCells {
		if c.Owner != nil {
			t.Errorf("%s is polled by %s, who is dead", c.Name, *c.Owner)
		}
	}
}

// asks waits until a member asks for a job.
func (w *clusterWorld) asks(c *sharedCell, m *member, number int64) {
	w.t.Helper()
	from := time.Now()
	w.until(fmt.Sprintf("%s asks %s for job %d", m.name, c.name, number), func() bool {
		return slices.ContainsFunc(c.sim.Served(), func(s sim.Served) bool { return s.JobID == number && s.Asked.After(from) }) && c.polls() == m.who
	})
}

// request asks whoever polls a CommCell, over NATS.
func (w *clusterWorld) request(commCell, what, body string) {
	w.t.Helper()
	nc, err := nats.Connect(w.one.url())
	if err != nil {
		w.t.Fatal(err)
	}
	defer nc.Close()
	w.until("the owner answers over NATS", func() bool { // it says that it does a moment after it has begun to poll
		answer, err := nc.Request("jobwatch."+commCell+"."+what, []byte(body), 20*time.Second)
		return err == nil && answer.Header.Get("Nats-Service-Error") == "" && json.Valid(answer.Data)
	})
}

// answersAlone waits until one member alone answers over NATS for a CommCell.
func (w *clusterWorld) answersAlone(commCell string) {
	w.t.Helper()
	nc, err := nats.Connect(w.one.url())
	if err != nil {
		w.t.Fatal(err)
	}
	defer nc.Close()
	inbox := nats.NewInbox()
	answers, err := nc.SubscribeSync(inbox)
	if err != nil {
		w.t.Fatal(err)
	}
	w.until("one member answers", func() bool {
		if err := nc.PublishRequest("$SRV.INFO.jobwatch", inbox, nil); err != nil {
			w.t.Fatal(err)
		}
		named := 0
		for m, err := answers.NextMsg(time.Second); err == nil; m, err = answers.NextMsg(500 * time.Millisecond) {
			named += strings.Count(string(m.Data), `"jobwatch.`+commCell+`.track"`)
		}
		return named == 1
	})
}
