package web

import (
	"encoding/json"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"jobwatch/internal/cluster"
	"jobwatch/internal/metrics"
	"jobwatch/internal/poller"
)

// TestMetricsOfACommCellComeFromItsOwner has a CommCell claimed, given away, and claimed once more.
func TestMetricsOfACommCellComeFromItsOwner(t *testing.T) {
	var here atomic.Bool
	meters := metrics.New("test")
	prod := meters.CommCell("prod")
	state := metrics.ClusterState{Leases: 1, Members: 3, Unowned: 2, Takeovers: map[cluster.Reason]int{cluster.Death: 4}}
	w := newWorld(t, func(c *Config) {
		all := c.Pollers
		meters.Read(metrics.Sources{Store: c.Store, Publisher: c.Publisher, Cluster: func() metrics.ClusterState { return state },
			Pollers: func() []*poller.Poller {
				if here.Load() {
					return all()
				}
				return nil
			}})
		c.Metrics = meters.Handler()
	})
	own := []string{"polls_total", "events_total", "poll_duration_seconds", "tick_duration_seconds", "ticks_skipped_total", "tracked_jobs", "request_limit", "taken_over_total"}
	for _, polled := range []bool{false, true, false} {
		here.Store(polled)
		prod.Polled("ok")
		for _, name := range own {
			if got := has(w.scrape(), "jobwatch_"+name+" commcell=prod"); got != polled {
				t.Errorf("polled here: %v; %s is there: %v", polled, name, got)
			}
		}
	}
	here.Store(true)
	w.measures(map[string]float64{
		"jobwatch_polls_total commcell=prod result=ok": 3, // it goes on from where it was
		"jobwatch_published_total":                     0,
		"jobwatch_leases_held":                         1,
		"jobwatch_cluster_members":                     3,
		"jobwatch_cluster_unowned_commcells":           2,

		"jobwatch_cluster_takeovers_total reason=start":    0,
		"jobwatch_cluster_takeovers_total reason=death":    4,
		"jobwatch_cluster_takeovers_total reason=handover": 0,
		"jobwatch_cluster_takeovers_total reason=balance":  0,
	})
}

// TestMetricsOfOneAlone holds that a watcher that is alone says nothing of a cluster, and shows all that it has counted.
func TestMetricsOfOneAlone(t *testing.T) {
	w := newWorld(t)
	families := w.scrape()
	for _, name := range []string{"cluster_members", "cluster_unowned_commcells", "cluster_takeovers_total"} {
		if has(families, "jobwatch_"+name) {
			t.Errorf("%s is there", name)
		}
	}
	w.measures(map[string]float64{"jobwatch_leases_held": 0, "jobwatch_polls_total commcell=prod result=ok": 0})
}

// inCluster makes the watcher of a world the member w1.
func inCluster(shown *atomic.Pointer[cluster.Status], commCells ...string) func(*Config) {
	return func(c *Config) {
		c.Instance, c.Cluster = "w1", func() cluster.Status { return *shown.Load() }
		c.CommCells = func() []string { return commCells }
	}
}

func clusterOf(owners map[string]string, members ...cluster.MemberStatus) *cluster.Status {
	s := &cluster.Status{Members: members}
	for _, name := range []string{"prod", "test"} {
		row := cluster.CommCellStatus{Name: name}
		if owner, owned := owners[name]; owned {
			row.Owner, row.Since = &owner, new(time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC))
		}
		s.CommCells = append(s.CommCells, row)
	}
	return s
}

// TestStatusOfAMember holds that all CommCells of the configuration are there, each with its owner, and that of those of
// others nothing is said that this member cannot know.
func TestStatusOfAMember(t *testing.T) {
	var shown atomic.Pointer[cluster.Status]
	shown.Store(clusterOf(map[string]string{"prod": "w1", "test": "w2"}, cluster.MemberStatus{Instance: "w1", Alive: true}, cluster.MemberStatus{Instance: "w2", Alive: true}))
	w := newWorld(t, inCluster(&shown, "test", "prod", "new"))
	w.sees(running(71))
	is := w.status()
	var got []string
	for _, c := range is.CommCells {
		line := c.Name + " nobody"
		if c.Owner != nil {
			line = c.Name + " " + *c.Owner + " " + c.Owned.Format("15:04")
		}
		if c.Up != nil {
			line += " up"
		}
		got = append(got, line)
	}
	if want := []string{"test w2 03:00", "prod w1 03:00 up", "new nobody"}; !slices.Equal(got, want) || len(is.Members) != 2 || is.Instance != "w1" {
		t.Errorf("got %q, want %q; %+v", got, want, is)
	}
	if by := w.job(71).Followed; by != nil {
		t.Errorf("a job of its own is followed by %s", *by)
	}
	shown.Store(clusterOf(map[string]string{"prod": "w2"}))
	if by := w.job(71).Followed; by == nil || *by != "w2" {
		t.Errorf("a job of w2 is followed by %v", by)
	}
}

func TestStatusOfOneAlone(t *testing.T) {
	w := newWorld(t)
	w.sees(running(71))
	code, body := w.get("/api/v1/status")
	var is map[string]any
	w.must(json.Unmarshal([]byte(body), &is))
	if members, there := is["members"].([]any); code != http.StatusOK || !there || len(members) > 0 || is["instance"] != nil {
		t.Errorf("got %d %s", code, body)
	}
	if owner, there := is["commcells"].([]any)[0].(map[string]any)["owner"]; owner != nil || !there {
		t.Errorf("got %s", body)
	}
}

func (w *world) status() (is status) {
	w.Helper()
	_, body := w.get("/api/v1/status")
	w.must(json.Unmarshal([]byte(body), &is))
	return is
}

func (w *world) job(number int64) (is shownJob) {
	w.Helper()
	_, body := w.get("/api/v1/jobs?limit=1")
	var page jobsPage
	w.must(json.Unmarshal([]byte(body), &page))
	if len(page.Jobs) == 0 || page.Jobs[0].Number != number {
		w.Fatalf("got %s", body)
	}
	return page.Jobs[0]
}

// TestReadyWhileAMemberCouldTakeOver has one that polls nothing: it is green as long as it could, and red otherwise.
func TestReadyWhileAMemberCouldTakeOver(t *testing.T) {
	var shown atomic.Pointer[cluster.Status]
	shown.Store(new(cluster.Status))
	member := cluster.MemberStatus{Instance: "w1", Alive: true, CaughtUp: true}
	w := newWorld(t, inCluster(&shown, "prod", "test"), func(c *Config) { c.Pollers = func() []*poller.Poller { return nil } })
	w.becomes(http.StatusServiceUnavailable, "ok    publish\nred   cluster: has not joined yet\n")
	shown.Store(clusterOf(map[string]string{"prod": "w2"}, member))
	w.becomes(http.StatusOK, "ok    cluster\nok    commcell prod: followed by w2\nnote  commcell test: nobody polls it\n")
	behind := member
	behind.CaughtUp = false
	shown.Store(clusterOf(map[string]string{"prod": "w2"}, behind))
	w.becomes(http.StatusServiceUnavailable, "red   cluster: has not read the stream to its end yet\n")
	cut := clusterOf(map[string]string{"prod": "w2"}, member)
	cut.Trouble = "no response from stream"
	shown.Store(cut)
	w.becomes(http.StatusServiceUnavailable, "red   cluster: cannot take part: no response from stream\n")
	newer := clusterOf(map[string]string{"prod": "w2"}, member)
	newer.Newer = []string{"member.w9"}
	shown.Store(newer)
	w.becomes(http.StatusServiceUnavailable, "red   cluster: "+claimsNothing+"\n")
	owns := member
	owns.CommCells = []string{"prod"}
	newer = clusterOf(map[string]string{"prod": "w1"}, owns)
	newer.Newer = []string{"member.w9"}
	shown.Store(newer)
	w.becomes(http.StatusOK, "note  cluster: "+claimsNothing+"\n")
	member.Leaving = true
	shown.Store(clusterOf(nil, member))
	w.becomes(http.StatusServiceUnavailable, "red   cluster: was told to leave: takes nothing more until its next start\n")
	member.CommCells = []string{"prod"} // it still gives away
	shown.Store(clusterOf(map[string]string{"prod": "w1"}, member))
	w.becomes(http.StatusOK, "ok    cluster\n")
}
