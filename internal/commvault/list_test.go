package commvault

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// rows writes the lines of jobs from..to of a list.
func rows(from, to int) string {
	var all []string
	for id := from; id <= to; id++ {
		all = append(all, fmt.Sprintf(`{"jobSummary":{"jobId":%d,"status":"Running"}}`, id))
	}
	return strings.Join(all, ",")
}

func listOf(total int, rows string) string {
	return fmt.Sprintf(`{"totalRecordsWithoutPaging":%d,"jobs":[%s]}`, total, rows)
}

// paged serves jobs 1..n as a server that gives at most `most` lines a page.
func paged(n, most int) commserve {
	return func(r *http.Request) (int, string) {
		limit, _ := strconv.Atoi(r.Header.Get("limit"))
		offset, _ := strconv.Atoi(r.Header.Get("offset"))
		return 200, listOf(n, rows(offset+1, min(offset+min(limit, most), n)))
	}
}

// ownTotal serves jobs 1..n with a total that is only that of the page.
func ownTotal(n, most int) commserve {
	return func(r *http.Request) (int, string) {
		offset, _ := strconv.Atoi(r.Header.Get("offset"))
		last := min(offset+most, n)
		return 200, listOf(max(last-offset, 0), rows(offset+1, last))
	}
}

func noTotal(serve commserve) commserve {
	return func(r *http.Request) (int, string) {
		status, body := serve(r)
		return status, strings.Replace(body, "totalRecordsWithoutPaging", "total", 1)
	}
}

// shorter has the first page at an offset end after some jobs.
func shorter(serve commserve, offset, most int) commserve {
	asked := false
	return func(r *http.Request) (int, string) {
		status, body := serve(r)
		if asked || r.Header.Get("offset") != strconv.Itoa(offset) {
			return status, body
		}
		asked = true
		head, _, _ := strings.Cut(body, `"jobs":[`)
		if _, own, _ := strings.Cut(head, ":"); own == "500," {
			head = fmt.Sprintf(`{"totalRecordsWithoutPaging":%d,`, most)
		}
		return status, head + `"jobs":[` + rows(offset+1, offset+most) + "]}"
	}
}

func TestTheListIsReadToItsEnd(t *testing.T) {
	for name, row := range map[string]struct {
		serve          commserve
		jobs, requests int
	}{
		"nothing":                       {paged(0, 500), 0, 1},
		"one page":                      {paged(7, 500), 7, 1},
		"a full page":                   {paged(500, 500), 500, 2},
		"three pages":                   {paged(1200, 500), 1200, 3},
		"short pages":                   {paged(250, 100), 250, 3},
		"pages of one":                  {paged(4, 1), 4, 4},
		"the offset is ignored":         {func(*http.Request) (int, string) { return 200, listOf(5000, rows(1, 500)) }, 500, 2},
		"a total that lies":             {func(*http.Request) (int, string) { return 200, listOf(5000, rows(1, 3)) }, 3, 3},
		"no total":                      {func(*http.Request) (int, string) { return 200, `{"jobs":[` + rows(1, 3) + `]}` }, 3, 1},
		"the total of the page":         {ownTotal(800, 500), 800, 3},
		"the total of a short page":     {ownTotal(250, 100), 250, 4},
		"the total of a page, all jobs": {ownTotal(99, 500), 99, 1},
		"short pages without a total":   {noTotal(paged(250, 100)), 250, 4},
		"a short page first":            {shorter(paged(1200, 500), 0, 37), 1200, 4},
		"a short page in the middle":    {shorter(paged(1200, 500), 490, 20), 1200, 4},
		"a page within the overlap":     {shorter(paged(1200, 500), 490, 3), 1200, 4},
		"an empty page in the middle":   {shorter(paged(1200, 500), 490, 0), 1200, 4},
		"a short page, own totals":      {shorter(ownTotal(1200, 500), 490, 150), 1200, 5},
		"one object":                    {func(*http.Request) (int, string) { return 200, `{"jobs":{"jobSummary":{"jobId":"5"}}}` }, 1, 1},
		"an id twice":                   {func(*http.Request) (int, string) { return 200, listOf(2, rows(5, 5)+","+rows(5, 5)) }, 1, 1},
		"nameless lines":                {func(*http.Request) (int, string) { return 200, listOf(3, `{},{"jobSummary":{"jobId":0}},`+rows(9, 9)) }, 1, 1},
		"none, without a total":         {func(*http.Request) (int, string) { return 200, `{"jobs":[]}` }, 0, 1},
		"none, without rows":            {func(*http.Request) (int, string) { return 200, `{"totalRecordsWithoutPaging":0}` }, 0, 1},
		"none, and names that seem to hold words": {func(*http.Request) (int, string) {
			return 200, `{"totalRecordsWithoutPaging":0,"isDefault":true,"transferred":"all","preferredLanguage":"en","languageCode":1033,"status":1,"statusCode":204}`
		}, 0, 1},
		"none, and no error": {func(*http.Request) (int, string) {
			return 200, `{"processinginstructioninfo":{"attributes":[{"name":"exitval","value":"0"}]},"error":{"errorMessage":"","errorCode":0},"totalRecordsWithoutPaging":"0"}`
		}, 0, 1},
	} {
		var seen requests
		lines, err := newClient(t, Config{Transport: row.serve, Observe: seen.observe}).Jobs(t.Context(), time.Hour)
		if err != nil || len(lines) != row.jobs || len(seen.all) != row.requests {
			t.Errorf("%s: %d jobs in %d requests, want %d in %d; %v", name, len(lines), len(seen.all), row.jobs, row.requests, err)
		}
		for i := range lines[min(1, len(lines)):] {
			if lines[i].Number >= lines[i+1].Number {
				t.Fatalf("%s: job %d before %d", name, lines[i].Number, lines[i+1].Number)
			}
		}
	}
}

// Ten jobs leave the front of the list while it is read: what follows moves up by as many lines.
func TestPagesThatMoveLoseNoJob(t *testing.T) {
	gone := 0
	c := newClient(t, Config{Transport: commserve(func(r *http.Request) (int, string) {
		offset, _ := strconv.Atoi(r.Header.Get("offset"))
		first := gone + offset + 1
		gone += 10
		return 200, listOf(1200-gone, rows(first, min(first+499, 1200)))
	})})
	lines, err := c.Jobs(t.Context(), time.Hour)
	if err != nil || len(lines) != 1200 {
		t.Errorf("%d jobs, want 1200; %v", len(lines), err)
	}
}

// Jobs that begin come first in a list by number, newest first: what follows moves down, and is listed twice.
func TestPagesThatMoveDownLoseNoJob(t *testing.T) {
	newest := 1200
	c := newClient(t, Config{Transport: commserve(func(r *http.Request) (int, string) {
		offset, _ := strconv.Atoi(r.Header.Get("offset"))
		var page []string
		for id := newest - offset; id > max(newest-offset-500, 0); id-- {
			page = append(page, rows(id, id))
		}
		body := listOf(newest, strings.Join(page, ","))
		newest += 100
		return 200, body
	})})
	lines, err := c.Jobs(t.Context(), time.Hour)
	if err != nil || len(lines) != 1200 {
		t.Errorf("%d jobs, want 1200; %v", len(lines), err)
	}
}

func TestAListWithoutEnd(t *testing.T) {
	asked := 0
	c := newClient(t, Config{Transport: commserve(func(*http.Request) (int, string) {
		asked++
		return 200, listOf(1<<40, rows(asked, asked))
	})})
	_, err := c.Jobs(t.Context(), time.Hour)
	if KindOf(err) != TooLarge || err.Error() != "Jobs: the list goes on after 2000 pages" || asked != maxPages {
		t.Errorf("after %d pages: %v", asked, err)
	}
}

func TestAJobSeenTwiceIsAsSeenLast(t *testing.T) {
	c := newClient(t, Config{Transport: commserve(func(r *http.Request) (int, string) {
		if r.Header.Get("offset") == "0" {
			return 200, listOf(501, rows(1, 500))
		}
		return 200, listOf(501, strings.Replace(rows(500, 501), "Running", "Killed", 1))
	})})
	lines, err := c.Jobs(t.Context(), time.Hour)
	if err != nil || len(lines) != 501 || lines[499].Status != "Killed" {
		t.Errorf("%d jobs; %v", len(lines), err)
	}
}

func TestTheListIsAskedForAllTypes(t *testing.T) {
	for within, want := range map[time.Duration]string{
		time.Hour:               "/webconsole/api/Job?completedJobLookupTime=3600&jobFilter=",
		1500 * time.Millisecond: "/webconsole/api/Job?completedJobLookupTime=2&jobFilter=",
		0:                       "/webconsole/api/Job?jobCategory=Active&jobFilter=",
	} {
		c := newClient(t, Config{Transport: commserve(func(r *http.Request) (int, string) {
			if got := r.URL.RequestURI(); got != want || r.Method != http.MethodGet || r.Header.Get("limit") != "500" {
				t.Errorf("%s %s, want %s", r.Method, got, want)
			}
			return 200, listOf(0, "")
		})})
		if _, err := c.Jobs(t.Context(), within); err != nil {
			t.Error(err)
		}
	}
}

func TestWhatIsNoList(t *testing.T) {
	for body, want := range map[string]string{
		`{"totalRecordsWithoutPaging":5}`:  "Jobs: a list of 5 jobs that shows none",
		`{"totalRecordsWithoutPaging":-1}`: "Jobs: an answer that is neither a list nor a known error",
		`{}`:                               "Jobs: an answer that is neither a list nor a known error",
		`{"error":{"errorCode":0}}`:        "Jobs: an answer that is neither a list nor a known error",
		`{"jobs":null}`:                    "Jobs: an answer that is neither a list nor a known error",
		`{"response":[{"errorString":"Successful","errorCode":0}]}`:              "Jobs: an answer that is neither a list nor a known error: Successful",
		`{"totalRecordsWithoutPaging":0,"error":{"errorString":"No database"}}`:  "Jobs: an error instead of a list: No database",
		`{"jobs":[],"success":false}`:                                            "Jobs: an error instead of a list",
		`{"totalRecordsWithoutPaging":2,"jobs":[{},{"jobSummary":{"jobId":0}}]}`: "Jobs: a list whose 2 rows name no job",
		`{"jobs":[null,"none",7]}`:                                               "Jobs: a list whose 3 rows name no job",
		`{"jobs":[{"error":{"errorMessage":"No database"}}]}`:                    "Jobs: a list whose 1 rows name no job: No database",
		`null`: "Jobs: JSON that is no object",
		`[]`:   "Jobs: JSON that is no object",
		`{"errorMessage":"Access denied","errorCode":5}`: "Jobs: an error instead of a list: Access denied",
		`<title>Log in`: "Jobs: a web page where an answer was expected (is url: the web service's root?)",
		`{"jobs":[`:     "Jobs: the answer is cut short after 9 bytes",
	} {
		c := newClient(t, Config{Transport: commserve(func(*http.Request) (int, string) { return 200, body })})
		if _, err := c.Jobs(t.Context(), time.Hour); KindOf(err) != NotAnAnswer || err.Error() != want {
			t.Errorf("%s: %v, want %s", body, err, want)
		}
	}
}

func TestAFailingPageFailsTheList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, Config{Transport: commserve(func(r *http.Request) (int, string) {
			if r.Header.Get("offset") != "0" {
				return hang(r)
			}
			return 200, listOf(5000, rows(1, 500))
		})})
		if lines, err := c.Jobs(t.Context(), time.Hour); lines != nil || KindOf(err) != Timeout {
			t.Errorf("%d lines, %v", len(lines), err)
		}
	})
}

func TestALineSaysWhatTheListSays(t *testing.T) {
	c := newClient(t, Config{Transport: commserve(func(*http.Request) (int, string) {
		return 200, `{"totalRecordsWithoutPaging":"1","jobs":[{"jobSummary":{"jobId":"71","status":"Pending","localizedStatus":"Wartend",
			"currentPhase":4,"currentPhaseName":"Backup","pendingReason":"no drive","pendingReasonErrorCode":"19:579","totalFailedFiles":3,
			"totalFailedFolders":"1","percentComplete":"50.5","jobStartTime":1793958318,"jobEndTime":0,"lastUpdateTime":1793958618,
			"jobType":"Backup","localizedOperationName":"Snap Backup","appTypeName":"Virtual Server","destClientName":"winter",
			"subclient":{"subclientId":0,"subclientName":"all"},"clientGroups":[{"clientGroupName":"one"},{"clientGroupName":"two"}]}}]}`
	})})
	line, err := c.Summary(t.Context(), 71)
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprintln(line.Number, line.Status, line.Phase, line.Reason, line.ReasonCode, *line.FailedFiles, *line.FailedFolders, *line.Percent,
		line.StartTime.Unix(), line.EndTime, line.UpdateTime.Unix(), line.Client, line.ClientGroups, line.JobType, line.Operation, line.Application, line.Subclient)
	want := "71 Pending Backup no drive 19:579 3 1 50.5 1793958318 <nil> 1793958618 winter [one two] Backup Snap Backup Virtual Server all"
	if strings.TrimSpace(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestABrokenStatusInAListIsNone(t *testing.T) {
	c := newClient(t, Config{Transport: commserve(func(*http.Request) (int, string) {
		return 200, listOf(2, strings.Replace(rows(1, 2), "Running", "Run\xffning", 1))
	})})
	lines, err := c.Jobs(t.Context(), time.Hour)
	if err != nil || len(lines) != 2 || lines[0].Status != "" || lines[1].Status != "Running" {
		t.Errorf("%+v, %v", lines, err)
	}
}

func TestAnUnknownJobHasNoSummary(t *testing.T) {
	for body, want := range map[string]Kind{
		`{"totalRecordsWithoutPaging":0}`:                                       UnknownJob,
		`{"totalRecordsWithoutPaging":0,"jobs":[]}`:                             UnknownJob,
		`{"totalRecordsWithoutPaging":0,"statusCode":204,"more":true}`:          UnknownJob,
		`{"totalRecordsWithoutPaging":5}`:                                       NotAnAnswer,
		`{"totalRecordsWithoutPaging":0,"error":{"errorString":"No database"}}`: NotAnAnswer,
		`{}`:   UnknownJob,
		`null`: UnknownJob,
		`{"errorMessage":"Access denied","errorCode":5}`: NotAnAnswer,
		`[]`: NotAnAnswer,
	} {
		c := newClient(t, Config{Transport: commserve(func(*http.Request) (int, string) { return 200, body })})
		if _, err := c.Summary(t.Context(), 71); KindOf(err) != want {
			t.Errorf("%s: %v, want %s", body, err, want)
		}
	}
}
