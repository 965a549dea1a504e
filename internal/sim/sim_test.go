package sim

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// hand is a clock that a test moves.
type hand struct{ at atomic.Int64 }

func (h *hand) now() time.Duration   { return time.Duration(h.at.Load()) }
func (h *hand) set(at time.Duration) { h.at.Store(int64(at)) }

// caller asks a CommServe without a network.
type caller struct {
	t      *testing.T
	client *http.Client
	token  string
	header map[string]string
}

func call(t *testing.T, s *Sim) *caller {
	return &caller{t: t, client: &http.Client{Transport: s.Inside()}, token: "QSDK sim"}
}

func (c *caller) do(method, path, body string) (*http.Response, error) {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, "http://cs.test/webconsole/api/"+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Authtoken", c.token)
	for name, value := range c.header {
		r.Header.Set(name, value)
	}
	return c.client.Do(r)
}

// text gives status and body; the request itself must not fail.
func (c *caller) text(method, path, body string) (int, string) {
	c.t.Helper()
	response, err := c.do(method, path, body)
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	all, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return response.StatusCode, string(all)
}

func inJSON(d doc) []byte {
	var w writer
	w.answer("", d)
	return w.b
}

// tree is a JSON answer whose members are found by path; numbers stay as they were written.
type tree map[string]any

func (c *caller) json(method, path, body string) tree {
	c.t.Helper()
	status, text := c.text(method, path, body)
	if status != http.StatusOK {
		c.t.Fatalf("%s %s: status %d: %s", method, path, status, text)
	}
	var all tree
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&all); err != nil {
		c.t.Fatalf("%s %s: %v in %s", method, path, err, text)
	}
	return all
}

func (c *caller) details(id int64) tree {
	c.t.Helper()
	return c.json("POST", "JobDetails", fmt.Sprintf(`{"jobId":%d}`, id))
}

// at gives what stands at a path like "job.jobDetail.progressInfo", nil for nothing.
func (o tree) at(path string) any {
	var here any = map[string]any(o)
	for name := range strings.SplitSeq(path, ".") {
		object, is := here.(map[string]any)
		if !is {
			return nil
		}
		here = object[name]
	}
	return here
}

func TestOneStepAfterAnother(t *testing.T) {
	var clock hand
	s := New(Config{Clock: clock.now})
	s.Add(Job{ID: 7, Client: "fall", Steps: []Step{
		{At: 10 * time.Second, State: "Waiting"},
		{At: 20 * time.Second, State: "Running", Phase: "Scan"},
		{At: 30 * time.Second, Forgot: true},
		{At: 40 * time.Second, State: "Completed"},
	}})
	const state, phase = "job.jobDetail.progressInfo.state", "job.jobDetail.progressInfo.currentPhase"
	for _, row := range []struct {
		at           time.Duration
		state, phase any
	}{
		{9 * time.Second, nil, nil},
		{10 * time.Second, "Waiting", ""},
		{20*time.Second - 1, "Waiting", ""},
		{20 * time.Second, "Running", "Scan"},
		{30 * time.Second, nil, nil},
		{time.Hour, "Completed", nil},
	} {
		clock.set(row.at)
		_, text := call(t, s).text("POST", "JobDetails", `{"jobId":7}`)
		var got tree
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Fatal(err)
		}
		if got.at(state) != row.state || got.at(phase) != row.phase {
			t.Errorf("at %v: got %v %v, want %v %v", row.at, got.at(state), got.at(phase), row.state, row.phase)
		}
	}
}

func TestSpeedShortensLivesAndLeavesTheClockAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Config{Speed: 10})
		s.Add(Job{ID: 7, Steps: []Step{{State: "Running"}, {At: 100 * time.Second, State: "Completed"}}})
		start := time.Now()
		time.Sleep(9 * time.Second)
		if got := call(t, s).details(7).at("job.jobDetail.progressInfo.state"); got != "Running" {
			t.Errorf("after 9s: got %v, want Running", got)
		}
		time.Sleep(time.Minute)
		got := call(t, s).details(7).at("job.jobDetail.detailInfo.endTime")
		if want := json.Number(fmt.Sprint(start.Add(10 * time.Second).Unix())); got != want {
			t.Errorf("endTime: got %v, want %v", got, want)
		}
	})
}

func TestTheLastOfStepsAtOneTimeHolds(t *testing.T) {
	var clock hand
	s := New(Config{Clock: clock.now})
	s.Add(Job{ID: 7, Steps: []Step{{State: "Waiting"}, {State: "Pending"}, {State: "Running"}, {At: time.Hour, State: "Killed"}}})
	if got := call(t, s).details(7).at("job.jobDetail.progressInfo.state"); got != "Running" {
		t.Errorf("got %v, want Running", got)
	}
}

func TestAnEndThatIsJudgedAnewStaysWhereItWas(t *testing.T) {
	var clock hand
	s := New(Config{Clock: clock.now})
	s.Add(Job{ID: 7, Steps: []Step{
		{State: "Running"}, {At: time.Minute, State: "Completed"}, {At: time.Hour, State: "Completed w/ one or more errors"},
	}})
	clock.set(2 * time.Hour)
	details := call(t, s).details(7)
	began, _ := details.at("job.jobDetail.detailInfo.startTime").(json.Number).Int64()
	ended, _ := details.at("job.jobDetail.detailInfo.endTime").(json.Number).Int64()
	if ended-began != 60 {
		t.Errorf("it took %d s, want 60", ended-began)
	}
}

func TestCommServNamesItself(t *testing.T) {
	guid := func(config Config) any { return call(t, New(config)).json("GET", "CommServ", "").at("commcell.csGUID") }
	if guid(Config{Seed: 1}) != guid(Config{Seed: 1}) || guid(Config{Seed: 1}) == guid(Config{Seed: 2}) {
		t.Error("the GUID does not follow from the seed")
	}
	if got := guid(Config{GUID: "X"}); got != "X" {
		t.Errorf("got %v, want X", got)
	}
}

func TestString(t *testing.T) {
	got := New(Config{Seed: 4, Jobs: 20, Arrivals: 0.5, Speed: 10}).String()
	if want := "CommServe of seed 4: 20 jobs, 5 new ones a second, at 10 times real speed"; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestLog(t *testing.T) {
	var lines []string
	s := New(Config{Log: func(line string) { lines = append(lines, line) }})
	s.Fault(Fault{Kind: LoginPage, Next: 1})
	call(t, s).text("POST", "JobDetails", `{"jobId":7}`)
	call(t, s).text("GET", "Job/8", "")
	call(t, s).text("GET", "Nothing", "")
	want := []string{"JobDetails 7: 200, 174 bytes, login-page", "Job/{id} 8: 200, 31 bytes", "not found: 404, 72 bytes"}
	if !slices.Equal(lines, want) {
		t.Errorf("got  %q\nwant %q", lines, want)
	}
}

func TestEveryBasePath(t *testing.T) {
	s := New(Config{})
	for _, row := range []struct {
		method, path string
		op           Op
		id           int64
	}{
		{"POST", "/webconsole/api/JobDetails", OpJobDetails, 0},
		{"POST", "/SearchSvc/CVWebService.svc/Login", OpLogin, 0},
		{"POST", "/Jobs", OpJobs, 0},
		{"POST", "/Jobs/", OpJobs, 0},
		{"GET", "/Job", OpList, 0},
		{"GET", "/commandcenter/api/Job/432", OpSummary, 432},
		{"GET", "/Job/432", OpSummary, 432},
		{"GET", "/Job/x", OpNone, 0},
		{"GET", "/NotJob/432", OpNone, 0},
		{"GET", "/JobDetails", OpNone, 0},
		{"POST", "/Job", OpNone, 0},
		{"GET", "/", OpNone, 0},
	} {
		if op, id := route(row.method, row.path); op != row.op || id != row.id {
			t.Errorf("%s %s: got %q %d, want %q %d", row.method, row.path, op, id, row.op, row.id)
		}
	}
	if status, _ := call(t, s).text("GET", "Nothing", ""); status != http.StatusNotFound {
		t.Errorf("GET Nothing: got %d, want 404", status)
	}
}
