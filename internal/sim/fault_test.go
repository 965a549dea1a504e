package sim

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func running(ids ...int64) *Sim {
	s := New(Config{})
	for _, id := range ids {
		s.Add(Job{ID: id, Steps: []Step{{State: "Running", Phase: "Scan"}}})
	}
	return s
}

func TestFaultyAnswers(t *testing.T) {
	for _, row := range []struct {
		kind   FaultKind
		status int
		has    string
	}{
		{ErrorFlat, 500, `{"errorMessage":`},
		{ErrorNested, 500, `{"error":{"errorMessage":`},
		{Unavailable, 503, `{`},
		{LoginPage, 200, `<html>`},
		{ErrorDocument, 200, `{"error":{"errList":`},
		{OtherJob, 200, `"jobId":8,`},
		{TokenRevoked, 401, `"errorCode":5`},
	} {
		s := running(7, 8)
		s.Fault(Fault{Kind: row.kind, Next: 1, Delay: 2 * time.Second})
		c := call(t, s)
		status, body := c.text("POST", "JobDetails", `{"jobId":7}`)
		if status != row.status || !strings.Contains(body, row.has) {
			t.Errorf("%s: got %d %s, want %d …%s…", row.kind, status, body, row.status, row.has)
		}
		if c.details(7).at("job.jobDetail") == nil {
			t.Errorf("%s: the request after it was no answer", row.kind)
		}
		faulty, good := s.Served()[0], s.Served()[1]
		if faulty.Whole || faulty.State != "" || faulty.Fault != row.kind || !good.Whole || good.Fault != "" {
			t.Errorf("%s: served %+v, then %+v", row.kind, faulty, good)
		}
	}
}

func TestOtherJobIsNeverTheOneAskedFor(t *testing.T) {
	for _, s := range []*Sim{running(7), running(6, 7), running(7, 9)} {
		s.Fault(Fault{Kind: OtherJob, Rate: 1})
		if got := call(t, s).details(7).at("job.jobDetail.generalInfo.jobId"); got == nil || shape(got)[1] == "7" {
			t.Errorf("details: got job %v", got)
		}
		if got := ids(call(t, s).json("GET", "Job/7", "")); len(got) != 1 || got[0] == 7 {
			t.Errorf("summary: got jobs %v", got)
		}
		if got := ids(call(t, s).json("GET", "Job", "")); len(got) != len(s.jobs.ids) {
			t.Errorf("a list fell to it, too: jobs %v", got)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	s := running(7)
	s.Fault(Fault{Kind: Unavailable, Next: 1, Delay: 30 * time.Second})
	response, err := call(t, s).do("GET", "Job", "")
	if err != nil || response.Header.Get("Retry-After") != "30" {
		t.Errorf("got %v, %v", response, err)
	}
}

func TestARevokedTokenStaysDead(t *testing.T) {
	s := running(7)
	c := call(t, s)
	c.token = c.login("watcher")["token"].(string)
	s.Fault(Fault{Kind: TokenRevoked, Next: 1})
	if first, second := c.status(), c.status(); first != 401 || second != 401 {
		t.Errorf("got %d and %d, want 401 twice", first, second)
	}
}

// Over a network and without one a body that was cut looks the same.
func TestCutBodies(t *testing.T) {
	s := running(7)
	server := httptest.NewServer(s)
	defer server.Close()
	for name, client := range map[string]*http.Client{"network": server.Client(), "inside": {Transport: s.Inside()}} {
		for kind, sized := range map[FaultKind]bool{CutShort: true, CutChunked: false} {
			s.Fault(Fault{Kind: kind, Next: 1})
			r, _ := http.NewRequest("POST", server.URL+"/JobDetails", strings.NewReader(`{"jobId":7}`))
			r.Header.Set("Authtoken", "QSDK sim")
			response, err := client.Do(r)
			if err != nil {
				t.Fatalf("%s, %s: %v", name, kind, err)
			}
			body, err := io.ReadAll(response.Body)
			if !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%s, %s: got %v after %d bytes", name, kind, err, len(body))
			}
			if (response.ContentLength > 0) != sized {
				t.Errorf("%s, %s: Content-Length %d", name, kind, response.ContentLength)
			}
			response.Body.Close()
		}
	}
	server.Close() // waits for the handlers
	for _, told := range s.Served() {
		if told.Whole || len(s.Served()) != 4 {
			t.Errorf("served %+v", told)
		}
	}
}

func TestHangLastsUntilTheClientGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := running(7)
		s.Fault(Fault{Kind: Hang, Op: OpJobDetails, Rate: 1})
		c := call(t, s)
		c.client.Timeout = 30 * time.Second
		begun := time.Now()
		_, err := c.do("POST", "JobDetails", `{"jobId":7}`)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != 30*time.Second {
			t.Errorf("got %v after %v", err, time.Since(begun))
		}
		if told := s.Served()[0]; told.Whole || told.Served.Sub(told.Asked) != 30*time.Second {
			t.Errorf("served %+v", told)
		}
	})
}

func TestASlowAnswerIsWholeButOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := running()
		s.Add(Job{ID: 7, Steps: []Step{{State: "Running"}, {At: 2 * time.Second, State: "Killed"}}})
		s.Fault(Fault{Kind: Slow, Next: 2, Delay: 5 * time.Second})
		c := call(t, s)
		if got := c.details(7).at("job.jobDetail.progressInfo.state"); got != "Running" {
			t.Errorf("got %v, want Running", got)
		}
		c.client.Timeout = time.Second
		if _, err := c.do("POST", "JobDetails", `{"jobId":7}`); err == nil {
			t.Error("a client with less patience got an answer")
		}
		patient, hasty := s.Served()[0], s.Served()[1]
		if !patient.Whole || patient.Served.Sub(patient.Asked) != 5*time.Second || hasty.Whole {
			t.Errorf("served %+v, then %+v", patient, hasty)
		}
	})
}

func TestAFaultKeepsToItsOperationAndJob(t *testing.T) {
	s := running(7, 8)
	s.Fault(Fault{Kind: ErrorFlat, Op: OpJobDetails, Job: 7, Rate: 1})
	c := call(t, s)
	seven, _ := c.text("POST", "JobDetails", `{"jobId":7}`)
	eight, _ := c.text("POST", "JobDetails", `{"jobId":8}`)
	summary, _ := c.text("GET", "Job/7", "")
	s.Heal()
	healed, _ := c.text("POST", "JobDetails", `{"jobId":7}`)
	if got := [4]int{seven, eight, summary, healed}; got != [4]int{500, 200, 200, 200} {
		t.Errorf("got %v", got)
	}
}

func TestRateFollowsFromTheSeed(t *testing.T) {
	statuses := func(seed int64) (all []int) {
		s := New(Config{Seed: seed})
		s.Fault(Fault{Kind: ErrorFlat, Rate: 0.2})
		for range 1000 {
			all = append(all, call(t, s).status())
		}
		return all
	}
	one := statuses(1)
	if !reflect.DeepEqual(one, statuses(1)) || reflect.DeepEqual(one, statuses(2)) {
		t.Error("the choice does not follow from the seed")
	}
	failed := 0
	for _, status := range one {
		if status == 500 {
			failed++
		}
	}
	if failed < 150 || failed > 250 {
		t.Errorf("%d of 1000 failed at a rate of 0.2", failed)
	}
}

func TestInsideUnpacksAsANetworkClientDoes(t *testing.T) {
	s := running(7)
	s.Fault(Fault{Kind: GzipBomb, Next: 2})
	c := call(t, s)
	if _, body := c.text("POST", "JobDetails", `{"jobId":7}`); len(body) < bombSize || !strings.HasPrefix(body, "{") {
		t.Errorf("got %d bytes: %.100q", len(body), body)
	}
	c.header = map[string]string{"Accept-Encoding": "gzip"}
	if _, body := c.text("POST", "JobDetails", `{"jobId":7}`); len(body) > bombSize/16 || !strings.HasPrefix(body, "\x1f\x8b") {
		t.Errorf("asked for gzip: got %d bytes: %.100q", len(body), body)
	}
}

func TestALoginIsNoTokenToRevoke(t *testing.T) {
	s := running(7)
	s.Fault(Fault{Kind: TokenRevoked, Next: 1})
	c := call(t, s)
	if c.login("watcher")["token"] == nil || c.status() != 401 {
		t.Error("the fault befell the login")
	}
}

// A wrong password that a fault pretends counts like any other.
func TestLockOutOnDemand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Config{LockAfter: 3})
		s.Fault(Fault{Kind: WrongPassword, Next: 3})
		c := call(t, s)
		for try := range 3 {
			if got := c.login("watcher"); got["token"] != nil || got["isAccountLocked"] != (try == 2) {
				t.Errorf("try %d: %v", try, got)
			}
		}
		if got := c.login("watcher"); got["remainingLockTime"] != json.Number("900") {
			t.Errorf("locked: %v", got)
		}
		time.Sleep(15 * time.Minute)
		s.Fault(Fault{Kind: AccountLocked, Next: 1})
		if got := c.login("watcher"); got["isAccountLocked"] != true || got["remainingLockTime"] != json.Number("900") {
			t.Errorf("locked on demand: %v", got)
		}
		if got := c.login("watcher"); got["isAccountLocked"] != true {
			t.Errorf("it does not last: %v", got)
		}
	})
}

func TestAStaleAnswerIsAsOldAsAsked(t *testing.T) {
	var clock hand
	s := New(Config{Clock: clock.now, Speed: 2})
	s.Add(Job{ID: 7, Steps: []Step{{State: "Waiting"}, {At: 10 * time.Second, State: "Running"}, {At: 20 * time.Second, State: "Killed"}}})
	for _, row := range []struct {
		at, delay time.Duration // real time is half of it
		want      any
	}{
		{5 * time.Second, 0, "Waiting"}, {15 * time.Second, 0, "Waiting"}, {25 * time.Second, 0, "Running"},
		{25 * time.Second, time.Second, "Killed"}, {25 * time.Second, 5 * time.Second, "Running"},
		{25 * time.Second, 10 * time.Second, "Waiting"}, {25 * time.Second, 20 * time.Second, nil},
	} {
		clock.set(row.at)
		s.Fault(Fault{Kind: Stale, Next: 1, Delay: row.delay})
		_, body := call(t, s).text("POST", "JobDetails", `{"jobId":7}`)
		if (row.want == nil) == strings.Contains(body, "jobDetail") || row.want != nil && !strings.Contains(body, `"state":"`+row.want.(string)+`"`) {
			t.Errorf("at %v, %v old: got %s, want %v", row.at, row.delay, body, row.want)
		}
	}
}

// What a script holds that is no UTF-8 is told as it is, and a state of that kind is no observation.
func TestScriptedBytes(t *testing.T) {
	s := New(Config{})
	s.Add(Job{ID: 7, Steps: []Step{{State: "Running", Reason: "a\xfc\xe4z"}}})
	s.Add(Job{ID: 8, Steps: []Step{{State: "Run\xfcning"}}})
	_, seven := call(t, s).text("POST", "JobDetails", `{"jobId":7}`)
	_, eight := call(t, s).text("POST", "JobDetails", `{"jobId":8}`)
	if !strings.Contains(seven, "\"a\xfc\xe4z\"") || !strings.Contains(eight, "\"Run\xfcning\"") {
		t.Errorf("got %s and %s", seven, eight)
	}
	if told := s.Served(); !told[0].Whole || told[0].Reason != "a\uFFFD\uFFFDz" || told[1].Whole {
		t.Errorf("served %+v", told)
	}
}
