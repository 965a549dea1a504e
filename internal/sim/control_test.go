package sim

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"
)

// controlled plays one job, 7, with the control beside it. The function it gives asks, as curl would.
func controlled(t *testing.T) (*Sim, func(method, path, body string) (int, string)) {
	s := running(7)
	server := httptest.NewServer(s.Control())
	t.Cleanup(server.Close)
	return s, func(method, path, body string) (int, string) {
		r, err := http.NewRequestWithContext(context.Background(), method, server.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authtoken", "QSDK sim")
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		all, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, string(all)
	}
}

func TestFaultsOverHTTP(t *testing.T) {
	s, ask := controlled(t)
	const body = `{"kind":"login_page","operation":"JobDetails","job":7,"rate":0.5,"count":3,"skip":2,"after":"1m","delay":"2s"}`
	if status, said := ask("POST", "/sim/faults", body); status != 201 ||
		said != "login-page with JobDetails of job 7 at a rate of 0.5 3 times after 2 more requests once 1m0s have passed\n" {
		t.Errorf("got %d %s", status, said)
	}
	want := []Fault{{Kind: LoginPage, Op: OpJobDetails, Job: 7, Rate: 0.5, Next: 3, Skip: 2, After: time.Minute, Delay: 2 * time.Second}}
	if got := s.Faults(); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	_, said := ask("GET", "/sim/faults", "")
	if want := `[{"kind":"login-page","operation":"JobDetails","job":7,"rate":0.5,"count":3,"skip":2,"after":"1m0s","delay":"2s"}]` + "\n"; said != want {
		t.Errorf("got  %swant %s", said, want)
	}
	if status, _ := ask("DELETE", "/sim/faults", ""); status != 204 || len(s.Faults()) != 0 {
		t.Errorf("DELETE: %d, left %v", status, s.Faults())
	}
	ask("POST", "/sim/faults", `{"kind":"error-flat","count":1,"code":503}`)
	first, _ := ask("POST", "/JobDetails", `{"jobId":7}`)
	second, _ := ask("POST", "/webconsole/api/JobDetails", `{"jobId":7}`)
	if first != 503 || second != 200 {
		t.Errorf("one fault: got %d, then %d", first, second)
	}
}

func TestJobsOverHTTP(t *testing.T) {
	s, ask := controlled(t)
	s.Add(Job{ID: 71, Client: "old", Steps: []Step{{State: "Killed"}}})
	const body = `{"id":71,"kind":"virtual-server","client":"vc-1","parent":70,"steps":[
		{"after":"-1h","state":"Waiting"},
		{"state":"Running","phase":"Backup","reason":"slow","code":"1:2","failures":"0 Folders, 2 Files","vms":[{"name":"a","guid":"g-1","reason":"gone","job":72},{"name":"b","failed":true},{"name":"c","guid":"-","sync":8}],
		"clients":[{"name":"fs-01","reason":"no reboot"}]},
		{"after":"1h","state":"Completed","mute":true}]}`
	if status, said := ask("POST", "/sim/jobs", body); status != 201 || said != "job 71: 3 steps\n" {
		t.Fatalf("got %d %s", status, said)
	}
	_, said := ask("POST", "/JobDetails", `{"jobId":71}`)
	for _, want := range []string{
		`"state":"Running"`, `"currentPhase":"Backup"`, `"clientName":"vc-1"`, `"vsaParentJobID":70`, `"reasonForJobDelay":"slow"`,
		`"pendingReasonErrorCode":"1:2"`, `"failures":"0 Folders, 2 Files"`, `"vmName":"a","GUID":"g-1","FailureReason":"gone","Status":1`, `"jobID":72`,
		`"FailureReason":"","Status":1`, `"vmName":"c","GUID":""`, `"syncStatus":8`, `"jMFailureReasonStatus":"no reboot"`, `"client":{"clientName":"fs-01"}`,
	} {
		if !strings.Contains(said, want) {
			t.Errorf("no %s in %s", want, said)
		}
	}
}

func TestJobForm(t *testing.T) {
	var form jobForm
	err := json.Unmarshal([]byte(`{"id":9,"kind":"restore","steps":[
		{"state":"Running","stalled":true,"attempt":2},{"after":"1m","forgot":true},{"after":"2m","state":"Killed","mute":true}]}`), &form)
	if err != nil {
		t.Fatal(err)
	}
	got, err := form.job(time.Hour)
	want := Job{ID: 9, Kind: Restore, Steps: []Step{
		{At: time.Hour, State: "Running", Stalled: true, Attempt: 2}, {At: time.Hour + time.Minute, Forgot: true},
		{At: time.Hour + 2*time.Minute, State: "Killed", Mute: true},
	}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v, %v\nwant %+v", got, err, want)
	}
}

func TestWhatControlRefuses(t *testing.T) {
	s, ask := controlled(t)
	for _, row := range []struct{ path, body, want string }{
		{"faults", `{"kind":"login-pag","rate":1}`, `no kind of fault is called "login-pag"; there are:`},
		{"faults", `{"kind":"hang"}`, `a fault needs a rate above 0, or a count`},
		{"faults", `{"kind":"hang","rate":2}`, `rate 2: it is a probability`},
		{"faults", `{"kind":"hang","rate":-1}`, `rate -1: it is a probability`},
		{"faults", `{"kind":"hang","rate":1,"operation":"GetJob"}`, `no operation is called "GetJob"; there are ["Login"`},
		{"faults", `{"kind":"other-job","rate":1,"operation":"Login"}`, `other-job befalls ["JobDetails" "Job/{id}"] only, not Login`},
		{"faults", `{"kind":"hang","rate":1,"job":7}`, `a fault of one job needs the operation JobDetails or Job/{id}`},
		{"faults", `{"kind":"hang","rate":1,"code":500}`, `code 500: hang has none`},
		{"faults", `{"kind":"error-flat","rate":1,"code":9}`, `code 9: error-flat has none, or none like that`},
		{"faults", `{"kind":"hang","count":-1,"rate":1}`, `cannot be below 0`},
		{"faults", `{"kind":"hang","rat":1}`, `unknown field "rat"`},
		{"faults", `{"kind":"hang","rate":1,"delay":5}`, `no JSON of this form`},
		{"faults", `{"kind":"hang","rate":1} {}`, `there is more after the JSON`},
		{"jobs", ``, `no JSON of this form`},
		{"jobs", `{"steps":[{"state":"Running"}]}`, `id: a job has a number above 0`},
		{"jobs", `{"id":9}`, `steps: a job needs one at least`},
		{"jobs", `{"id":9,"kind":"vm","steps":[{"state":"Running"}]}`, `kind: there is no "vm", but ["disaster-recovery"`},
		{"jobs", `{"id":9,"steps":[{"state":"Running"},{}]}`, `steps[1]: state: it needs one`},
		{"jobs", `{"id":9,"steps":[{"state":"Running","after":"99999h"}]}`, `steps[0]: after: 99999h0m0s is more than a year off`},
		{"jobs", `{"id":9,"steps":[{"state":"Running","attempt":-1}]}`, `steps[0]: attempt: it is from 0 to 100, not -1`},
		{"jobs", `{"id":9,"client":"` + strings.Repeat("x", 5<<20) + `"}`, `too large`},
	} {
		status, said := ask("POST", "/sim/"+row.path, row.body)
		if status != 400 || !strings.Contains(said, row.want) {
			t.Errorf("%s %.100s: got %d %s", row.path, row.body, status, said)
		}
	}
	if len(s.Faults()) != 0 || len(s.jobs.ids) != 1 {
		t.Errorf("faults %v, jobs %v", s.Faults(), s.jobs.ids)
	}
	for _, row := range [][2]string{{"PUT", "/sim/jobs"}, {"PUT", "/sim/faults"}, {"POST", "/sim"}} {
		if status, _ := ask(row[0], row[1], ""); status != 405 {
			t.Errorf("%s %s: got %d, want 405", row[0], row[1], status)
		}
	}
}

func TestSimSaysWhatThereIs(t *testing.T) {
	s, ask := controlled(t)
	s.Fault(Fault{Kind: Hang, Op: OpLogin, Rate: 0.5})
	ask("POST", "/JobDetails", `{"jobId":7}`)
	for _, path := range []string{"/sim", "/sim/"} {
		_, said := ask("GET", path, "")
		for _, want := range []string{
			"a CommServe of seed 0: 1 jobs", "requests so far: 1 of JobDetails\n", "in force: hang with Login at a rate of 0.5\n",
			"curl http://127.0.0.1:", "/sim/faults -X DELETE", "  gzip-bomb ",
		} {
			if !strings.Contains(said, want) {
				t.Errorf("%s: no %q in\n%s", path, want, said)
			}
		}
	}
	for _, kind := range FaultKinds() {
		if kind.About() == "" || !strings.Contains(FaultHelp(), "  "+string(kind)+" ") {
			t.Errorf("%s is not explained", kind)
		}
	}
}

func TestParseFault(t *testing.T) {
	for text, want := range map[string]Fault{
		"hang": {Kind: Hang, Rate: 0.1}, "login_page:1": {Kind: LoginPage, Rate: 1}, "cut-short:0.02": {Kind: CutShort, Rate: 0.02},
	} {
		if got, err := ParseFault(text); err != nil || got != want {
			t.Errorf("%s: got %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", ":1", "hang:", "hang:x", "hang:NaN", "hang:0", "hang:1.1", "hang:-1", "nonsense:0.5"} {
		if got, err := ParseFault(text); err == nil {
			t.Errorf("%q: got %+v", text, got)
		}
	}
}
