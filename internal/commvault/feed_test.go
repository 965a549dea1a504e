package commvault

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jobwatch/internal/job"
	"jobwatch/internal/sim"
)

func entry(id, job, at int64, code string) string {
	return fmt.Sprintf(`{"id":%d,"jobId":%d,"timeSource":%d,"eventCodeString":%q,"severity":0,"subsystem":"JobManager","description":"Job [%d] was told."}`, id, job, at, code, job)
}

func feedOf(entries ...string) string {
	return `{"commservEvents":[` + strings.Join(entries, ",") + `]}`
}

func TestFeedEntriesAreReadAsTheyCome(t *testing.T) {
	at := time.Unix(1497265648, 0).UTC()
	suspended := FeedEntry{ID: 35244, Job: 436, Subsystem: "JobManager", FeedEntry: job.FeedEntry{
		Code: "19:1086", Severity: job.FeedInfo, Time: at, Text: "Restore job [436] has been suspended by admin."}}
	for name, row := range map[string]struct {
		body string
		want []FeedEntry
	}{
		"JSON": {`{"commservEvents":[{"severity":0,"eventCode":"318768190","jobId":436,"acknowledge":0,"eventCodeString":"19:1086","subsystem":"JobManager",
			"description":"Restore job [436] has been suspended by admin.","id":35244,"timeSource":1497265648,"type":0,"clientEntity":{"clientId":2}}]}`, []FeedEntry{suspended}},
		"texts for numbers": {`{"commservEvents":[{"severity":"0","jobId":"436","eventCodeString":"19:1086","subsystem":"JobManager",
			"description":"Restore job [436] has been suspended by admin.","id":"35244","timeSource":"1497265648"}]}`, []FeedEntry{suspended}},
		"XML": {`<?xml version="1.0"?><EVGui_Whatever><commservEvents severity="0" jobId="436" eventCodeString="19:1086" subsystem="JobManager"
			description="Restore job [436] has been suspended by admin." id="35244" timeSource="1497265648"><clientEntity clientId="2"/></commservEvents></EVGui_Whatever>`, []FeedEntry{suspended}},
		"the code's number alone": {`{"commservEvents":{"severity":0,"eventCode":"318768190","jobId":436,"subsystem":"JobManager",
			"description":"Restore job [436] has been suspended by admin.","id":35244,"timeSource":1497265648}}`, []FeedEntry{suspended}},
		"no id, no job, no subsystem": {`{"commservEvents":[{"severity":6,"eventCode":"1073742921","eventCodeString":"64:1097","description":"Slow.","timeSource":1497265648}]}`,
			[]FeedEntry{{FeedEntry: job.FeedEntry{Code: "64:1097", Severity: job.FeedMajor, Time: at, Text: "Slow."}}}},
		"HTML": {`{"commservEvents":[{"id":1,"timeSource":1497265648,"severity":9,"description":"<html><style>p{}</style><p>5 &lt; 7<br>and &amp; <b>b</b>old <script>steal()<\/script></p> a < b"}]}`,
			[]FeedEntry{{ID: 1, FeedEntry: job.FeedEntry{Severity: job.FeedCritical, Time: at, Text: "5 < 7 and & bold a < b"}}}},
		"neither id nor time":   {feedOf(`{"jobId":436,"subsystem":"JobManager"}`), nil},
		"nothing":               {`{}`, nil},
		"nothing in XML":        {`<EVGui_Whatever/>`, nil},
		"an error that is none": {`{"errorCode":0,"errorMessage":"","commservEvents":[]}`, nil},
	} {
		got, err := decodeFeed([]byte(row.body))
		if err != nil || fmt.Sprint(got) != fmt.Sprint(row.want) {
			t.Errorf("%s: got %v, %v; want %v", name, got, err, row.want)
		}
	}
}

func TestFeedRefusals(t *testing.T) {
	for name, row := range map[string]struct {
		code          int
		body          string
		surely, maybe bool
	}{
		"no right":                   {200, `{"errorMessage":"Access denied","errorCode":5}`, true, true},
		"no right, XML":              {200, `<App_GenericResponse errorMessage="Access denied" errorCode="5"/>`, true, true},
		"forbidden":                  {403, ``, true, false},
		"too old":                    {404, `<html><title>404</title></html>`, true, false},
		"the web page":               {200, `<!DOCTYPE html><html><title>Command Center</title></html>`, false, true},
		"cut short":                  {200, `{"commservEvents":[{"id":`, false, true},
		"no object":                  {200, `[]`, false, true},
		"a redirect":                 {302, ``, false, true},
		"no right, as a stale token": {401, ``, false, true},
		"too many":                   {429, ``, false, false},
		"broken":                     {500, ``, false, false},
		"out of service":             {503, ``, false, false},
		"another answer":             {200, `<JobManager_JobListResponse totalRecordsWithoutPaging="0"/>`, false, true},
	} {
		c := newClient(t, Config{Transport: commserve(func(*http.Request) (int, string) { return row.code, row.body })})
		got, mark, err := c.Feed(t.Context(), FeedMark{})
		if surely, maybe := FeedRefused(err); err == nil || surely != row.surely || maybe != row.maybe || got != nil || mark.Begun() {
			t.Errorf("%s: %v is refused %v, perhaps %v; want %v and %v", name, err, surely, maybe, row.surely, row.maybe)
		}
	}
}

// feedServer shows the entries from a time on, and notes the requests.
type feedServer struct {
	entries map[string]int64 // and their times
	asked   []string
}

func (s *feedServer) serve(r *http.Request) (int, string) {
	s.asked = append(s.asked, r.URL.RequestURI()+" "+r.Header.Get("paginginfo"))
	var from int64
	fmt.Sscan(r.URL.Query().Get("fromTime"), &from)
	var shown []string
	for e, at := range s.entries {
		if at >= from {
			shown = append(shown, e)
		}
	}
	return 200, feedOf(shown...)
}

// An order by ids where there are two and by times else would be none: 2 before 3, 3 before 1, 1 beside 2.
func TestFeedIsInOneOrderHoweverItComes(t *testing.T) {
	second := FeedEntry{ID: 101, Job: 2, FeedEntry: job.FeedEntry{Time: time.Unix(60, 0)}}
	third := FeedEntry{ID: 102, Job: 3, FeedEntry: job.FeedEntry{Time: time.Unix(30, 0)}}
	nameless := FeedEntry{Job: 1, FeedEntry: job.FeedEntry{Time: time.Unix(60, 0)}}
	for _, entries := range [][]FeedEntry{
		{second, third, nameless}, {second, nameless, third}, {third, second, nameless},
		{third, nameless, second}, {nameless, second, third}, {nameless, third, second},
	} {
		var jobs []int64
		for _, e := range inOrder(entries) {
			jobs = append(jobs, e.Job)
		}
		if fmt.Sprint(jobs) != "[2 3 1]" {
			t.Errorf("%v come in the order %v", entries, jobs)
		}
	}
}

func TestFeedGivesWhatIsNewOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &feedServer{entries: map[string]int64{}}
		c := newClient(t, Config{Transport: commserve(server.serve)})
		var mark FeedMark
		// Its clock is some hours behind ours.
		now := time.Now().Add(-5 * time.Hour).Unix()
		show := func(id, job, at int64) { server.entries[entry(id, job, at, "19:1")] = at }
		nameless := func(job, at int64) {
			server.entries[fmt.Sprintf(`{"jobId":%d,"timeSource":%d,"eventCodeString":"19:1"}`, job, at)] = at
		}
		gives := func(want ...int64) {
			t.Helper()
			got, next, err := c.Feed(t.Context(), mark)
			if err != nil {
				t.Fatal(err)
			}
			mark = next
			var jobs []int64
			for _, e := range got {
				jobs = append(jobs, e.Job)
			}
			if fmt.Sprint(jobs) != fmt.Sprint(want) {
				t.Errorf("gives %v, want %v", jobs, want)
			}
		}
		show(100, 1, now)
		nameless(1, now)
		gives() // what was there is no news
		gives()
		show(101, 2, now)    // in the same second
		show(102, 3, now-30) // of a clock that is behind
		gives(2, 3)
		gives()
		nameless(4, now)
		nameless(5, now+1)
		gives(4, 5)
		gives()
		if got, want := server.asked[len(server.asked)-1], fmt.Sprintf("/webconsole/api/Events?fromTime=%d 0,1000", now+1-60); got != want {
			t.Errorf("asked for %s, want %s", got, want)
		}
		show(7, 6, now+10) // the database was restored
		gives(6)
		gives()
		show(103, 7, now+10*365*24*3600) // a clock gone mad
		gives(7)
		gives()
		show(104, 8, now+20)
		gives(8)
	})
}

// A restored database counts ids anew from a lower one: what it writes within the second of its last entry, or a little
// behind its clock, is told as new by its id alone.
func TestFeedGoesByTheIDsOfARestoredDatabase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &feedServer{entries: map[string]int64{}}
		c := newClient(t, Config{Transport: commserve(server.serve)})
		now := time.Now().Unix()
		var mark FeedMark
		for _, row := range []struct {
			shows []int64 // ids, each of the job with this number
			at    int64
			want  []int64
		}{
			{[]int64{5000}, now, nil},
			{[]int64{5001}, now + 1, []int64{5001}},
			{[]int64{7}, now + 10, []int64{7}}, // restored: the entries above are gone
			{[]int64{7, 8}, now + 10, []int64{8}},
			{[]int64{7, 8}, now + 10, nil},
			{[]int64{8, 9}, now + 5, []int64{9}},
			{[]int64{8, 9}, now + 5, nil},
		} {
			clear(server.entries)
			for _, id := range row.shows {
				server.entries[entry(id, id, row.at, "19:1")] = row.at
			}
			got, next, err := c.Feed(t.Context(), mark)
			if err != nil {
				t.Fatal(err)
			}
			mark = next
			var jobs []int64
			for _, e := range got {
				jobs = append(jobs, e.Job)
			}
			if !slices.Equal(jobs, row.want) {
				t.Errorf("of %v at %d gives %v, want %v", row.shows, row.at-now, jobs, row.want)
			}
		}
	})
}

// A feed that shows nothing at first must not swallow what it shows then.
func TestAnEmptyFeedBegins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &feedServer{entries: map[string]int64{}}
		c := newClient(t, Config{Transport: commserve(server.serve)})
		_, mark, err := c.Feed(t.Context(), FeedMark{})
		if err != nil || !mark.Begun() {
			t.Fatal(mark, err)
		}
		at := time.Now().Unix()
		server.entries[entry(1, 71, at, "19:1")] = at
		if got, _, err := c.Feed(t.Context(), mark); err != nil || len(got) != 1 {
			t.Errorf("gives %v, %v; want the first entry", got, err)
		}
	})
}

// Nor must a clock of ours that was a year ahead when the feed began.
func TestAFeedBegunByAWrongClock(t *testing.T) {
	server := &feedServer{entries: map[string]int64{}}
	read := func(t *testing.T, since FeedMark) ([]FeedEntry, FeedMark) {
		got, next, err := newClient(t, Config{Transport: commserve(server.serve)}).Feed(t.Context(), since)
		if err != nil {
			t.Fatal(err)
		}
		return got, next
	}
	var mark FeedMark
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(365 * 24 * time.Hour)
		_, mark = read(t, mark)
	})
	synctest.Test(t, func(t *testing.T) { // a bubble's clock begins anew
		at := time.Now().Unix()
		server.entries[entry(1, 71, at, "19:1")] = at
		if got, _ := read(t, mark); len(got) != 1 {
			t.Errorf("gives %v, want the entry", got)
		}
	})
}

func TestTheFeedIsBounded(t *testing.T) {
	var all []string
	for i := range int64(20_000) {
		all = append(all, fmt.Sprintf(`{"id":%d,"timeSource":1497265648,"eventCodeString":%q,"description":%q}`, i+1, strings.Repeat("9", 500), strings.Repeat("<b>ä</b>", 50)))
	}
	got, err := decodeFeed([]byte(feedOf(all...)))
	if err != nil || len(got) != feedPage || got[0].ID != 20_001-feedPage {
		t.Fatalf("%d entries, %v; want the newest %d", len(got), err, feedPage)
	}
	long, err := decodeFeed([]byte(feedOf(fmt.Sprintf(`{"id":1,"description":%q}`, strings.Repeat("&lt;ä", 1<<20)))))
	if err != nil || len(long) != 1 || len(long[0].Text) > job.FeedTextLimit || !strings.HasSuffix(string(long[0].Text), "…") {
		t.Errorf("got %.80v, %v; want one text of at most %d bytes", long, err, job.FeedTextLimit)
	}
}

func TestOfJobManager(t *testing.T) {
	for _, row := range []struct {
		entry FeedEntry
		want  bool
	}{
		{FeedEntry{Job: 71, Subsystem: "JobManager"}, true},
		{FeedEntry{Job: 71, Subsystem: "jobmanager"}, true},
		{FeedEntry{Job: 71, Subsystem: "Workflow", FeedEntry: job.FeedEntry{Code: "19:1750"}}, false},
		{FeedEntry{Job: 71, FeedEntry: job.FeedEntry{Code: "19:1086"}}, true},
		{FeedEntry{Job: 71, FeedEntry: job.FeedEntry{Code: "64:1097"}}, false},
		{FeedEntry{Subsystem: "JobManager"}, false},
	} {
		if got := row.entry.OfJobManager(); got != row.want {
			t.Errorf("%+v: %v, want %v", row.entry, got, row.want)
		}
	}
}

// In both formats a CommServe's feed reads the same.
func TestFeedInBothFormats(t *testing.T) {
	var now time.Duration
	play := sim.New(sim.Config{Clock: func() time.Duration { return now }, Jobs: 30})
	read := func(format string, since FeedMark) ([]FeedEntry, FeedMark) {
		t.Helper()
		c := newClient(t, Config{Format: format, Token: "QSDK sim", Transport: play.Inside()})
		entries, mark, err := c.Feed(t.Context(), since)
		if err != nil {
			t.Fatal(err)
		}
		return entries, mark
	}
	_, begun := read("json", FeedMark{})
	now = time.Minute
	asJSON, _ := read("json", begun)
	asXML, _ := read("xml", begun)
	if len(asJSON) < 30 || fmt.Sprint(asJSON) != fmt.Sprint(asXML) {
		t.Errorf("in JSON %v\nin XML %v", asJSON, asXML)
	}
}
