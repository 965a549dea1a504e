package poller

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jobwatch/internal/commvault"
	"jobwatch/internal/job"
)

// statelessServer is a CommServe whose details of a finished job name no state; its summary has a bad moment, for how
// long.
type statelessServer struct {
	over    time.Time
	summary string        // in its bad moment; "": HTTP 500
	bad     time.Duration // since the end
	after   string        // the bad moment
	line    string        // of the list meanwhile; "": it names no job
	stays   bool          // the line
}

func (s *statelessServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	over := !time.Now().Before(s.over)
	listed := func(lines string) {
		fmt.Fprintf(w, `{"totalRecordsWithoutPaging":%d,"jobs":[%s]}`, strings.Count(lines, "jobId"), lines)
	}
	switch {
	case strings.HasSuffix(r.URL.Path, "/JobDetails") && over:
		fmt.Fprintf(w, `{"job":{"jobDetail":{"generalInfo":{"jobId":71},"detailInfo":{"endTime":%d}}}}`, s.over.Unix())
	case strings.HasSuffix(r.URL.Path, "/JobDetails"):
		fmt.Fprint(w, `{"job":{"jobDetail":{"generalInfo":{"jobId":71},"progressInfo":{"state":"Running"}}}}`)
	case strings.HasSuffix(r.URL.Path, "/Job") && over && (s.stays || s.bad == 0 || time.Since(s.over) < s.bad):
		listed(s.line)
	case strings.HasSuffix(r.URL.Path, "/Job") && over:
		listed(s.after)
	case strings.HasSuffix(r.URL.Path, "/Job"):
		listed(`{"jobSummary":{"jobId":71,"status":"Running"}}`)
	case time.Since(s.over) >= s.bad:
		listed(s.after)
	case s.summary == "":
		w.WriteHeader(http.StatusInternalServerError)
	default:
		fmt.Fprint(w, s.summary)
	}
}

func TestAFinishedJobWhoseSummaryHasABadMoment(t *testing.T) {
	const (
		none      = `{"totalRecordsWithoutPaging":0}`
		completed = `{"jobSummary":{"jobId":71,"status":"Completed"}}`
		told      = "prod/71 state: Running → Completed"

		// The second cycle's last try is sent at most 10.5 s after the end: the pauses between tries are random. The third
		// cycle's first is sent 11 s after it at least.
		badMoment = 11 * time.Second
	)
	for _, row := range []struct {
		name   string
		server statelessServer
		want   string // of the cycles after the end, each 5 s
	}{
		{"none", statelessServer{after: completed}, told + " - -"},
		{"not found for 11 s", statelessServer{summary: none, bad: badMoment, after: completed}, "- - " + told},
		{"an error for 11 s", statelessServer{bad: badMoment, after: completed}, "- - " + told},
		{"it runs for 11 s", statelessServer{summary: `{"jobs":[{"jobSummary":{"jobId":71,"status":"Running"}}]}`, bad: badMoment, after: completed}, "- - " + told},
		{"an empty status with a state beside it", statelessServer{after: `{"jobSummary":{"jobId":71,"status":"","state":"Completed"}}`}, told + " - -"},
		{"an error, and the list names the end", statelessServer{bad: time.Hour, line: completed}, told + " - -"},
		{"not found, and the list names the end", statelessServer{summary: none, bad: time.Hour, line: completed}, told + " - -"},
		{"an error, and the list is not so far", statelessServer{bad: badMoment, after: completed, line: `{"jobSummary":{"jobId":71,"status":"Running"}}`}, "- - " + told},
		{"an error, and the list's line bears no status", statelessServer{bad: badMoment, after: completed, line: `{"jobSummary":{"jobId":71}}`}, "- - " + told},
	} {
		for _, sweep := range []Sweep{SweepDetails, SweepList} {
			t.Run(row.name+", "+string(sweep), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					server := row.server
					server.over = time.Now().Add(4 * time.Second)
					b := newBench(t, func(c *Config) {
						c.Source, c.Sweep, c.FullRefresh = clientOf(t, &server), sweep, time.Hour
					})
					b.cycle()
					b.drain()
					b.wants(row.name, b.cycleEvery(5*time.Second, 3), row.want)
					b.wants("it goes on for good", b.cycleEvery(time.Minute, 12), strings.TrimSpace(strings.Repeat("- ", 12)))
					if tracked, err := b.store.Tracked("prod"); err != nil || len(tracked) != 0 {
						t.Errorf("still followed: %v, %v", tracked, err)
					}
				})
			})
		}
	}
}

// Where nothing tells a state for five minutes, the job stays without one.
func TestAFinishedJobThatNothingTellsAStateOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &statelessServer{over: time.Now().Add(time.Second), after: "", bad: 0}
		b := newBench(t, func(c *Config) { c.Source = clientOf(t, server) })
		b.cycle()
		b.drain()
		b.wants("the end", b.cycleEvery(time.Minute, 12), strings.TrimSpace(strings.Repeat("- ", 12)))
		if tracked, err := b.store.Tracked("prod"); err != nil || len(tracked) != 0 {
			t.Errorf("still followed: %v, %v", tracked, err)
		}
	})
}

// A list sweep asks again although no line changes, and the list's words are none that we know.
func TestAFinishedJobWhoseStateComesLateIsAskedForAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &statelessServer{
			over: time.Now().Add(time.Second), bad: 42 * time.Second, summary: `{"totalRecordsWithoutPaging":0}`,
			line: `{"jobSummary":{"jobId":71,"status":"Abgeschlossen"}}`, stays: true,
			after: `{"jobSummary":{"jobId":71,"status":"Completed"}}`,
		}
		b := newBench(t, func(c *Config) { c.Source, c.Sweep, c.FullRefresh = clientOf(t, server), SweepList, time.Hour })
		b.cycle()
		b.drain()
		b.wants("nothing", b.cycleEvery(5*time.Second, 8), "- - - - - - - -")
		b.wants("the state", b.cycleEvery(5*time.Second, 1), "prod/71 state: Running → Completed")
	})
}

// What an earlier list said may be of an earlier job.
func TestTheLastListAloneNamesAnEnd(t *testing.T) {
	b := newBench(t, nil)
	b.cache.addFound([]job.ID{job71})
	read := func(lines ...commvault.Line) {
		b.cache.beginList()
		b.cache.readLines(lines)
	}
	over := commvault.Line{Number: 71, Status: "Completed"}
	for _, row := range []struct {
		lines []commvault.Line
		want  job.Text
	}{
		{nil, ""}, {[]commvault.Line{over}, "Completed"}, {[]commvault.Line{over}, "Completed"}, {nil, ""},
		{[]commvault.Line{over}, "Completed"}, {[]commvault.Line{{Number: 71, Status: "Running"}}, ""}, {[]commvault.Line{{Number: 71}}, ""},
	} {
		read(row.lines...)
		if got := b.cache.listedEnd(71); got != row.want {
			t.Errorf("after %v: %q, want %q", row.lines, got, row.want)
		}
	}
}
