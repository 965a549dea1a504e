package commvault

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestJobDetailsSendsWhatTheDocumentationSays(t *testing.T) {
	for name, row := range map[string]struct {
		config       Config
		body         string
		header, want string
	}{
		"token":    {Config{}, `{"jobId":71,"showAttempt":true}`, "Authtoken", secretToken},
		"bearer":   {Config{Scheme: "bearer", Token: "abc\n"}, `{"jobId":71,"showAttempt":true}`, "Authorization", "Bearer abc"},
		"commcell": {Config{CommCellID: 6}, `{"jobId":71,"commcell":{"commCellId":6},"showAttempt":true}`, "Accept", "application/json"},
		"type":     {Config{Format: "json"}, `{"jobId":71,"showAttempt":true}`, "Content-Type", "application/json"},
		"XML": {Config{Format: "xml"}, `<JobManager_JobDetailRequest jobId="71" showAttempt="1"></JobManager_JobDetailRequest>`,
			"Content-Type", "application/xml"},
		"XML, commcell": {Config{Format: "xml", CommCellID: 6},
			`<JobManager_JobDetailRequest jobId="71" showAttempt="1"><commcell commCellId="6"/></JobManager_JobDetailRequest>`, "Accept", "application/xml"},
	} {
		row.config.Transport = commserve(func(r *http.Request) (int, string) {
			if got := r.Method + " " + r.URL.String() + " " + sent(r); got != "POST https://cs.example.com/webconsole/api/JobDetails "+row.body {
				t.Errorf("%s: sent %s", name, got)
			}
			if got := r.Header.Get(row.header); got != row.want {
				t.Errorf("%s: %s is %q, want %q", name, row.header, got, row.want)
			}
			return 200, answer("", "", "")
		})
		if _, err := newClient(t, row.config).JobDetails(t.Context(), 71); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnObservationKnowsItsTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		c := newClient(t, Config{Transport: commserve(func(*http.Request) (int, string) {
			time.Sleep(3 * time.Second) // the server's own slowness
			return 200, answer("", "", "")
		})})
		seen, err := c.JobDetails(t.Context(), 71)
		if err != nil {
			t.Fatal(err)
		}
		if !seen.Asked.Equal(began) || !seen.Answered.Equal(began.Add(3*time.Second)) || seen.Asked.Location() != time.UTC {
			t.Errorf("asked %v, answered %v", seen.Asked, seen.Answered)
		}
		if seen.ID().String() != "prod/71" {
			t.Errorf("job %v", seen.ID())
		}
	})
}

// ended is job 71's answer after its end, without a state.
const ended = `{"job":{"jobDetail":{"generalInfo":{"jobId":71},"detailInfo":{"endTime":1793958418}}}}`

func summarized(status string) string {
	return `{"totalRecordsWithoutPaging":1,"jobs":[{"jobSummary":{"jobId":71,"status":"` + status + `"}}]}`
}

func TestAFinishedJobsStateComesFromItsSummary(t *testing.T) {
	for name, row := range map[string]struct {
		code    int
		summary string
		want    string
	}{
		"finished":     {200, summarized("Completed w/ one or more errors"), "Completed w/ one or more errors partial"},
		"no list":      {200, strings.NewReplacer("[", "", "]", "").Replace(summarized("Killed")), "Killed killed"},
		"not yet":      {200, summarized("Running"), " "},
		"a state":      {200, summarized(`","state":"Killed`), "Killed killed"},
		"broken state": {200, summarized(`","state":"Kill` + "\xff"), "Summary of job 71: a broken byte in the status: Kill\uFFFD"},
		"unknown":      {200, `{"totalRecordsWithoutPaging":0}`, " "},
		"failing":      {500, ``, "Summary of job 71: HTTP 500: Internal Server Error"},
		"web page":     {200, `<html>`, "Summary of job 71: a web page where an answer was expected (is url: the web service's root?)"},
		"another job":  {200, strings.Replace(summarized("Killed"), "71", "72", 1), "Summary of job 71: the answer is of another job"},
		"broken phase": {200, summarized(`Killed","currentPhaseName":"B` + "\xc3"), "Summary of job 71: a broken byte in the phase: B\uFFFD"},
		"broken byte":  {200, summarized("Kill\xffed"), "Summary of job 71: a broken byte in the status: Kill�ed"},
	} {
		c := newClient(t, Config{Transport: commserve(func(r *http.Request) (int, string) {
			if strings.HasSuffix(r.URL.Path, "/Job/71") && r.Method == http.MethodGet {
				return row.code, row.summary
			}
			return 200, ended
		})})
		seen, err := c.JobDetails(t.Context(), 71)
		got := string(seen.Snapshot.State + " " + seen.Snapshot.StateClass)
		if err != nil {
			got = err.Error()
		}
		if got != row.want {
			t.Errorf("%s: got %q, want %q", name, got, row.want)
		}
	}
}

func TestASummaryIsAskedForOnlyWhenItIsNeeded(t *testing.T) {
	var seen requests
	c := newClient(t, Config{Observe: seen.observe, Transport: commserve(func(r *http.Request) (int, string) {
		return 200, answer("", "", `,"endTime":1793958418`)
	})})
	if _, err := c.JobDetails(t.Context(), 71); err != nil {
		t.Fatal(err)
	}
	if want := []string{"JobDetails OK "}; !slices.Equal(seen.all, want) {
		t.Errorf("requests %q, want %q", seen.all, want)
	}
}

func TestNewRefuses(t *testing.T) {
	for want, config := range map[string]Config{
		`commcell prod: auth: neither a token nor a username is given`:                                       {URL: "https://x"},
		`commcell prod: auth: scheme is "basic"; write authtoken or bearer`:                                  {URL: "https://x", Token: "t", Scheme: "basic"},
		`commcell prod: url: "x/y" is no http or https URL; write https://<host>/webconsole/api`:             {URL: "x/y", Token: "t"},
		`commcell prod: url: a user, a query or a fragment has no place in it; see auth`:                     {URL: "https://u:p@x/", Token: "t"},
		`commcell prod: url: no URL; write https://<host>/webconsole/api`:                                    {URL: "https://x/\x00" + secretPassword, Token: "t"},
		`commcell prod: format is "yaml"; write json or xml`:                                                 {URL: "https://x", Token: "t", Format: "yaml"},
		`commcell prod: url: "ftp://u:xxxxx@h" is no http or https URL; write https://<host>/webconsole/api`: {URL: "ftp://u:p@h", Token: "t"},
	} {
		config.CommCell = "prod"
		if _, err := New(config); err == nil || err.Error() != want {
			t.Errorf("got %v\nwant %s", err, want)
		}
	}
}
