package sim

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

type fedEntry struct {
	ID        int64  `json:"id" xml:"id,attr"`
	Job       int64  `json:"jobId" xml:"jobId,attr"`
	Code      string `json:"eventCodeString" xml:"eventCodeString,attr"`
	Number    string `json:"eventCode" xml:"eventCode,attr"`
	Severity  int64  `json:"severity" xml:"severity,attr"`
	Subsystem string `json:"subsystem" xml:"subsystem,attr"`
	Text      string `json:"description" xml:"description,attr"`
	Time      int64  `json:"timeSource" xml:"timeSource,attr"`
}

type fedAnswer struct {
	Entries []fedEntry `json:"commservEvents" xml:"commservEvents"`
}

func (c *caller) feed(query, paging string) []fedEntry {
	c.t.Helper()
	c.header = map[string]string{"paginginfo": paging, "Accept": "application/json"}
	status, body := c.text("GET", "Events?"+query, "")
	var got fedAnswer
	if err := json.Unmarshal([]byte(body), &got); status != 200 || err != nil {
		c.t.Fatalf("%d, %v: %s", status, err, body)
	}
	c.header["Accept"] = "application/xml"
	_, body = c.text("GET", "Events?"+query, "")
	var same fedAnswer
	if err := xml.Unmarshal([]byte(body), &same); err != nil || !slices.Equal(got.Entries, same.Entries) {
		c.t.Fatalf("in XML (%v) %v, want %v", err, same.Entries, got.Entries)
	}
	return got.Entries
}

func told(entries []fedEntry) string {
	var all []string
	for _, e := range entries {
		if e.Subsystem == "JobManager" {
			all = append(all, fmt.Sprintf("%d %s", e.Job, e.Code))
		}
	}
	return strings.Join(all, ", ")
}

// suspendedAndKilled plays job 71, which all that the feed tells of befalls, and 72, which only runs.
func suspendedAndKilled(t *testing.T) (*hand, *caller, int64) {
	clock := new(hand)
	start := time.Unix(1_800_000_000, 0)
	s := New(Config{Clock: clock.now, Start: start})
	s.Add(Job{ID: 71, Kind: Restore, Steps: []Step{
		{State: "Running", Phase: "Restore"}, {At: 10 * time.Second, State: "Suspend Pending"}, {At: 20 * time.Second, State: "Suspended"},
		{At: 30 * time.Second, State: "Running", Phase: "Restore"}, {At: 35 * time.Second, State: "Running", Phase: "Verify"},
		{At: 40 * time.Second, State: "Kill Pending"}, {At: 50 * time.Second, State: "Killed"}}})
	s.Add(Job{ID: 72, Steps: []Step{{At: 20 * time.Second, State: "Running", Phase: "Scan"}, {At: time.Minute, State: "Completed"}}})
	return clock, call(t, s), start.Unix()
}

func TestFeed(t *testing.T) {
	clock, c, start := suspendedAndKilled(t)
	clock.set(time.Hour)
	for _, row := range []struct{ query, paging, want string }{
		{"", "", "72 19:1076, 71 19:1081, 71 19:182, 71 19:979, 72 19:133, 71 19:1086, 71 19:183, 71 19:133"},
		{"jobId=71", "", "71 19:1081, 71 19:182, 71 19:979, 71 19:1086, 71 19:183, 71 19:133"},
		{fmt.Sprintf("fromTime=%d", start+30), "", "72 19:1076, 71 19:1081, 71 19:182, 71 19:979"},
		{fmt.Sprintf("fromTime=%d&toTime=%d", start+30, start+40), "", "71 19:182, 71 19:979"},
		{fmt.Sprintf("fromTime=%d", start+1000), "", ""},
		{"jobId=71", "0,2", "71 19:1081, 71 19:182"},
		{"jobId=71", "2, 2", "71 19:979, 71 19:1086"},
		{"jobId=72&showInfo=false", "", ""},
	} {
		if got := told(c.feed(row.query, row.paging)); got != row.want {
			t.Errorf("%q, %q:\n got %s\nwant %s", row.query, row.paging, got, row.want)
		}
	}
}

func TestFeedGrowsWithTime(t *testing.T) {
	clock, c, start := suspendedAndKilled(t)
	clock.set(15 * time.Second)
	early := c.feed("", "")
	if got := told(early); got != "71 19:183, 71 19:133" {
		t.Fatalf("after 15 s: %s", got)
	}
	clock.set(time.Hour)
	all := c.feed("", "")
	if !slices.Equal(all[len(all)-len(early):], early) {
		t.Errorf("then %v, now %v: an entry has changed", early, all)
	}
	for i, e := range all {
		if i > 0 && (e.ID >= all[i-1].ID || e.Time > all[i-1].Time) {
			t.Errorf("%v comes after %v", e, all[i-1])
		}
	}
	if e := all[len(all)-1]; e.Time != start || e.Number != "318767237" || !strings.Contains(e.Text, "restore request") {
		t.Errorf("the first is %+v", e)
	}
}

// Among many jobs are entries of other subsystems, some without an id, and no two of one id.
func TestFeedOfGeneratedJobs(t *testing.T) {
	clock := new(hand)
	s := New(Config{Jobs: 500, Arrivals: 1, Oddities: 0.2, Clock: clock.now})
	clock.set(10 * time.Minute)
	ids, subsystems, nameless := map[int64]bool{}, map[string]int{}, 0
	for _, e := range call(t, s).feed("", "0,100000") {
		subsystems[e.Subsystem]++
		if e.ID == 0 {
			nameless++
			continue
		}
		if ids[e.ID] {
			t.Errorf("the id of %+v is another's too", e)
		}
		ids[e.ID] = true
	}
	if subsystems["JobManager"] < 1000 || subsystems["MediaManager"] < 20 || nameless < 20 {
		t.Errorf("%v, %d without id", subsystems, nameless)
	}
}

func TestNoFeed(t *testing.T) {
	for name, row := range map[string]struct {
		sim    *Sim
		fault  *Fault
		status int
		says   string
	}{
		"an old release": {New(Config{NoFeed: true}), nil, 404, "no such operation"},
		"no right":       {New(Config{}), &Fault{Kind: AccessDenied, Op: OpEvents, Next: 1}, 200, `"errorMessage":"Access denied","errorCode":5`},
		"forbidden":      {New(Config{}), &Fault{Kind: AccessDenied, Op: OpEvents, Next: 1, Code: 403}, 403, "Access denied"},
	} {
		if row.fault != nil {
			row.sim.Fault(*row.fault)
		}
		if status, body := call(t, row.sim).text("GET", "Events", ""); status != row.status || !strings.Contains(body, row.says) {
			t.Errorf("%s: %d %s; want %d and %q", name, status, body, row.status, row.says)
		}
	}
}

func BenchmarkFeed(b *testing.B) {
	clock := new(hand)
	s := New(Config{Jobs: 100_000, Clock: clock.now, Start: time.Unix(1_800_000_000, 0)})
	clock.set(20 * time.Minute)
	q := feedQuery{from: 1_800_000_000 + 20*60 - 60, to: 1 << 40, hidden: map[int64]bool{}, limit: 1000}
	for b.Loop() {
		s.feed(q)
	}
}
