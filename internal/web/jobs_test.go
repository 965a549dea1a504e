package web

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"jobwatch/internal/job"
	"jobwatch/internal/store"
	"jobwatch/internal/testing/slow"
)

// ids are the jobs of a page, and where the next begins: "prod/71 prod/72 → prod/72".
func ids(page jobsPage) string {
	var names []string
	for _, j := range page.Jobs {
		names = append(names, j.JobID().String())
	}
	if page.Next != nil {
		names = append(names, "→", *page.Next)
	}
	return strings.Join(names, " ")
}

func TestJobs(t *testing.T) {
	w := newWorld(t)
	w.commServe.is(running(71))
	w.commServe.is(running(72))
	w.commServe.is(ended(73, "Failed", time.Now().Add(-2*time.Hour)))
	w.commServe.is(ended(300, "Completed", time.Now().Add(-time.Minute)))
	w.must(w.store.Track(store.Configured, job.ID{CommCell: "prod", Number: 80}))
	w.poll()

	for _, row := range []struct{ query, want string }{
		{"", "prod/71 prod/72 prod/73 prod/80 prod/300"},
		{"?limit=2", "prod/71 prod/72 → prod/72"},
		{"?limit=2&after=prod/72", "prod/73 prod/80 → prod/80"},
		{"?limit=2&after=prod/80", "prod/300"},
		{"?limit=5", "prod/71 prod/72 prod/73 prod/80 prod/300"},
		{"?after=prod/300", ""},
		{"?commcell=prod&limit=1", "prod/71 → prod/71"},
		{"?commcell=test", ""},
		{"?commcell=a", ""},
		{"?class=active", "prod/71 prod/72"},
		{"?class=failed&class=succeeded", "prod/73 prod/300"},
		{"?client=CLIENT-72", "prod/72"},
		{"?client=fall&class=failed", "prod/73"},
		{"?ended_within=1h", "prod/71 prod/72 prod/80 prod/300"},
	} {
		var page jobsPage
		w.getJSON("/api/v1/jobs"+row.query, &page)
		if got := ids(page); got != row.want {
			t.Errorf("%s: got %q, want %q", row.query, got, row.want)
		}
	}
	for _, row := range []struct{ query, want string }{
		{"?limit=0", `limit=\"0\": wants a number from 1 to 1000`},
		{"?limit=1001", `limit=\"1001\": wants a number from 1 to 1000`},
		{"?limit=x", `limit=\"x\": wants a number from 1 to 1000`},
		{"?after=71", `after=\"71\" names no job; write`},
		{"?after=test/1&commcell=prod", `after=test/1 is no job of prod`},
		{"?class=done", `class=\"done\": wants one of queued, active`},
		{"?ended_within=-1h", `ended_within=\"-1h\": wants a length of time, as 24h`},
	} {
		if code, body := w.get("/api/v1/jobs" + row.query); code != http.StatusBadRequest || !strings.Contains(body, row.want) {
			t.Errorf("%s: got %d %s, want 400 %s", row.query, code, body, row.want)
		}
	}
}

func TestJobsAreMembersOfEvents(t *testing.T) {
	w := newWorld(t)
	w.sees(running(71))
	w.must(w.store.Track(store.Configured, job.ID{CommCell: "prod", Number: 80}))
	w.sent()
	var page struct{ Jobs []map[string]any }
	w.getJSON("/api/v1/jobs", &page)
	seen, unseen := page.Jobs[0], page.Jobs[1]
	for member, want := range map[string]any{
		"commcell": "prod", "id": 71., "state": "Running", "stateClass": "active", "terminal": false, "phase": "Backup",
		"client": "client-71", "endTime": nil, "tracked": "discovered", "sequence": 2., "unsent": 0.,
	} {
		if got, there := seen[member]; !there || got != want {
			t.Errorf("%s is %v (there: %v), want %v", member, got, there, want)
		}
	}
	for member, want := range map[string]any{
		"commcell": "prod", "id": 80., "state": nil, "tracked": "configured", "sequence": 0., "snapshotAt": nil, "progress": nil,
	} {
		if got, there := unseen[member]; !there || got != want {
			t.Errorf("never seen: %s is %v (there: %v), want %v", member, got, there, want)
		}
	}
}

// A poll that changes nothing is not stored; the progress it showed is told all the same.
func TestProgress(t *testing.T) {
	w := newWorld(t)
	w.sees(running(71))
	next := running(71)
	percent := 62.
	next.PercentComplete = &percent
	w.sees(next)
	var shown shownJob
	w.getJSON("/api/v1/jobs/prod/71", &shown)
	if *shown.PercentComplete != 41.5 || shown.Progress == nil || *shown.Progress.Percent != 62 {
		t.Errorf("the snapshot says %v, progress %+v; want 41.5 and 62", *shown.PercentComplete, shown.Progress)
	}
	if !shown.Progress.Asked.After(*shown.Seen) {
		t.Errorf("progress of %v, snapshot of %v", shown.Progress.Asked, shown.Seen)
	}
}

func TestJob(t *testing.T) {
	w := newWorld(t)
	vm := running(71)
	vm.Machines = []job.VM{{Name: "sk-vm1", Reason: "no disk"}, {Name: "sk-vm2"}}
	w.sees(vm)
	w.sees(running(72))
	linked := job.Snapshot{Number: 73, State: "Running", ParentJob: new(int64(70)), Machines: []job.VM{{Name: "sk-vm3", Job: new(int64(74))}}}
	w.sees(linked)
	w.sent()
	var whole wholeJob
	w.getJSON("/api/v1/jobs/prod/71", &whole)
	if whole.JobID().String() != "prod/71" || !slices.Equal(whole.Machines, vm.Machines) || whole.VMs.Failed != 1 {
		t.Errorf("got %+v", whole)
	}
	if whole.Told.State != "Running" || whole.Told.VMs["sk-vm1"] != "no disk" || whole.Sequence != 3 || whole.Unsent != 0 || *whole.Tracked != "discovered" {
		t.Errorf("got told %+v, sequence %d, unsent %d", whole.Told, whole.Sequence, whole.Unsent)
	}
	if _, body := w.get("/api/v1/jobs/prod/73"); !strings.Contains(body, `"parentJob":70,`) || !strings.Contains(body, `"name":"sk-vm3","guid":null,"job":74,`) {
		t.Errorf("no links in %s", body)
	}
	if _, body := w.get("/api/v1/jobs/prod/72"); !strings.Contains(body, `"machines":[]`) {
		t.Errorf("a job without machines: %s", body)
	}
	for _, path := range []string{"prod/99", "test/71", "prod/0", "prod/-71", "prod/x", "prod/071"} {
		code, body := w.get("/api/v1/jobs/" + path)
		if code != http.StatusNotFound || !strings.HasPrefix(body, `{"error":"`) {
			t.Errorf("%s: got %d %s, want 404 and JSON", path, code, body)
		}
	}
}

func TestStatus(t *testing.T) {
	slow.Test(t, "2 s", "an outage is known when the tries of a cycle are over, with their real pauses")
	w := newWorld(t)
	var s status
	w.getJSON("/api/v1/status", &s)
	if cell := s.CommCells[0]; cell.Name != "prod" || cell.Up != nil || cell.Since != nil || s.Ready {
		t.Errorf("before the first poll: %+v", s)
	}
	w.sees(running(71))
	w.getJSON("/api/v1/status", &s)
	if cell := s.CommCells[0]; cell.Up == nil || !*cell.Up || cell.Answered == nil || cell.Classes["active"] != 1 || cell.Ticks != 1 {
		t.Errorf("after a poll: %+v", cell)
	}
	w.commServe.goes(errAway)
	w.poll()
	w.getJSON("/api/v1/status", &s)
	if cell := s.CommCells[0]; *cell.Up || !strings.Contains(cell.Reason, "connection refused") {
		t.Errorf("while the CommServe is away: %+v", cell)
	}
}
