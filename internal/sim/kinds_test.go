package sim

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"
)

// received is what a plain http.Client gets.
type received struct {
	status int
	header http.Header
	body   string
	err    error // of the request, or of reading the body
}

// served7 plays one job, 7, that waited and runs now, and another one.
func served7(t *testing.T) (*Sim, *httptest.Server, string) {
	s := running(8)
	s.Add(Job{ID: 7, Client: "fall", Steps: []Step{{At: -time.Minute, State: "Waiting"}, {State: "Running", Phase: "Scan"}}})
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return s, server, server.URL + "/webconsole/api/"
}

func post(ctx context.Context, t *testing.T, url, accept, body string) received {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, "POST", url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authtoken", "QSDK sim")
	r.Header.Set("Accept", accept)
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	client := &http.Client{Timeout: time.Minute, CheckRedirect: stay}
	response, err := client.Do(r)
	if err != nil {
		return received{err: err}
	}
	defer response.Body.Close()
	all, err := io.ReadAll(response.Body)
	return received{response.StatusCode, response.Header, string(all), err}
}

// whole says that a body is one well-formed document.
func whole(body string) bool {
	if strings.HasPrefix(body, "<") {
		return xml.Unmarshal([]byte(body), new(struct{})) == nil
	}
	return json.Valid([]byte(body))
}

func status(code int) func(received) bool {
	return func(r received) bool { return r.err == nil && r.status == code && whole(r.body) }
}

func html(code int) func(received) bool {
	return func(r received) bool {
		return r.err == nil && r.status == code && strings.HasPrefix(r.header.Get("Content-Type"), "text/html") && strings.Contains(r.body, "<title>")
	}
}

func says(words ...string) func(received) bool {
	return func(r received) bool {
		for _, word := range words {
			if !strings.Contains(r.body, word) {
				return false
			}
		}
		return r.err == nil && r.status == 200
	}
}

func cutOffAt(length bool) func(received) bool {
	return func(r received) bool {
		return r.status == 200 && errors.Is(r.err, io.ErrUnexpectedEOF) && (r.header.Get("Content-Length") != "") == length
	}
}

func large(r received) bool {
	return r.err == nil && len(r.body) > 16<<20 && whole(r.body) && strings.Contains(r.body, "Running")
}

func brokenBytes(r received) bool {
	return r.err == nil && r.status == 200 && strings.Contains(r.body, "\xfc") && !utf8.ValidString(r.body)
}

func depth(r received) bool {
	return r.err == nil && (strings.Contains(r.body, strings.Repeat("[", 10_000)) || strings.Contains(r.body, strings.Repeat("<a>", 10_000)))
}

func nothing(r received) bool { return r.err == nil && r.status == 200 && r.body == "" }

func gaveUp(r received) bool { return errors.Is(r.err, context.Canceled) }

// patience lasts until a fault has struck, where it is one that hangs.
func patience(t *testing.T, s *Sim, kind FaultKind) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	if kind != Hang {
		return ctx
	}
	go func() {
		for len(s.Faults()) > 0 && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	return ctx
}

func partial200(r received) bool { return r.err == nil && r.status == 200 && !whole(r.body) }

// Each kind of fault as a client sees it that asks for a job, or logs in.
func TestEveryKindOfFault(t *testing.T) {
	seen := map[FaultKind]func(received) bool{
		ErrorFlat:     status(500),
		ErrorNested:   status(500),
		ErrorPage:     html(502),
		Unavailable:   status(503),
		TooMany:       status(429),
		LoginPage:     html(200),
		ErrorDocument: says("errorCode", "587"),
		ErrorForeign:  says("The database is away."),
		AccessDenied:  says("Access denied", "errorCode"),
		Empty:         nothing,
		EmptyObject:   status(200),
		Null:          status(200),
		CutShort:      cutOffAt(true),
		CutChunked:    cutOffAt(false),
		CutDocument:   partial200,
		OtherJob:      says("jobId", "8"),
		UnknownJob:    func(r received) bool { return status(200)(r) && !strings.Contains(r.body, "jobDetail") },
		Stale:         says("Waiting", "fall"),
		ShortPage:     func(r received) bool { return whole(r.body) && strings.Count(r.body, "lastUpdateTime") == 1 },
		PageTotal:     func(r received) bool { return whole(r.body) && strings.Count(r.body, "lastUpdateTime") == 2 },
		BrokenReason:  brokenBytes,
		BrokenState:   brokenBytes,
		Slow:          says("Running"),
		Hang:          gaveUp,
		Huge:          large,
		GzipBomb:      large,
		Deep:          depth,
		Doctype:       says("<!DOCTYPE", "<!ENTITY a9", "&a8;&a8;"),
		Redirect:      html302,
		TokenRevoked:  status(401),
		WrongPassword: says("errLogMessage", "wrong"),
		AccountLocked: says("isAccountLocked", "remainingLockTime", "locked"),
	}
	for _, kind := range FaultKinds() {
		for format, ask := range map[string][2]string{
			"application/json": {`{"jobId":7}`, `{"username":"watcher","password":"d2F0Y2hlcg=="}`},
			"application/xml":  {`<JobManager_JobDetailRequest jobId="7"/>`, `<DM2ContentIndexing_CheckCredentialReq username="watcher" password="d2F0Y2hlcg=="/>`},
		} {
			t.Run(format+"/"+string(kind), func(t *testing.T) { befall(t, kind, format, ask, seen[kind]) })
		}
	}
}

func html302(r received) bool {
	return html302Status(r) && r.header.Get("Location") == "/commandcenter/api/JobDetails"
}

func html302Status(r received) bool { return r.err == nil && r.status == 302 }

func befall(t *testing.T, kind FaultKind, format string, ask [2]string, seen func(received) bool) {
	s, server, base := served7(t)
	s.Fault(Fault{Kind: kind, Next: 1, Delay: delayOf(kind)})
	url, body := base+"JobDetails", ask[0]
	trait := kind.trait()
	switch {
	case trait.befalls(OpJobs) && !trait.befalls(OpJobDetails):
		url, body = base+"Jobs", "{}"
	case !trait.befalls(OpJobDetails):
		url, body = base+"Login", ask[1]
	}
	r := post(patience(t, s, kind), t, url, format, body)
	if seen == nil || !seen(r) {
		t.Errorf("got %d, %v, %.300q (%d bytes), %v", r.status, r.header, r.body, len(r.body), r.err)
	}
	if left := s.Faults(); len(left) > 0 {
		t.Errorf("the fault goes on: %+v", left)
	}
	if url == base+"Login" {
		return
	}
	if after := post(t.Context(), t, url, format, body); !says("Running", "fall")(after) {
		t.Errorf("the request after it: %+v", after)
	}
	server.Close() // waits for the handlers
	for _, told := range s.Served() {
		if told.Whole != (told.Fault == "" || kind == Slow || kind == BrokenReason) {
			t.Errorf("served %+v", told)
		}
	}
}

// delayOf keeps the slow one quick. Without a delay a stale answer is from before the job's last step.
func delayOf(kind FaultKind) time.Duration {
	if kind == Stale {
		return 0
	}
	return time.Millisecond
}

func TestFaultsInTheirOwnWords(t *testing.T) {
	for _, row := range []struct {
		fault  Fault
		format string
		status int
		header string
		want   string // the body, or its beginning
	}{
		{Fault{Kind: ErrorFlat}, "json", 500, "", `{"errorMessage":"The database is busy.","errorCode":2}`},
		{Fault{Kind: ErrorFlat, Code: 403}, "json", 403, "", `{"errorMessage":`},
		{Fault{Kind: ErrorNested}, "json", 500, "", `{"error":{"errorMessage":"See the web service's log.","errorCode":500}}`},
		{Fault{Kind: ErrorNested}, "xml", 500, "", xmlProlog + `<JobManager_JobDetailResponse><error errorMessage="See the web service&#39;s log." errorCode="500"/></JobManager_JobDetailResponse>`},
		{Fault{Kind: ErrorPage, Code: 504}, "json", 504, "", "<html>\r\n<head><title>504 Gateway Timeout</title>"},
		{Fault{Kind: Unavailable, Delay: 30 * time.Second}, "json", 503, "Retry-After: 30", `{`},
		{Fault{Kind: TooMany, Delay: 7 * time.Second}, "xml", 429, "Retry-After: 7", `<?xml`},
		{Fault{Kind: EmptyObject}, "json", 200, "", `{}`},
		{Fault{Kind: EmptyObject}, "xml", 200, "", xmlProlog + `<JobManager_JobDetailResponse/>`},
		{Fault{Kind: Null}, "json", 200, "", `null`},
		{Fault{Kind: ErrorDocument}, "json", 200, "", `{"error":{"errList":[{"errorCode":587,"errLogMessage":"The request could not be processed."}]}}`},
		{Fault{Kind: ErrorDocument}, "xml", 200, "", xmlProlog + `<JobManager_JobDetailResponse><error><errList errorCode="587" `},
		{Fault{Kind: Redirect, Code: 307, Location: "https://cs.example.org/api/JobDetails"}, "json", 307, "Location: https://cs.example.org/api/JobDetails", ""},
	} {
		s, _, base := served7(t)
		row.fault.Next = 1
		s.Fault(row.fault)
		got := post(t.Context(), t, base+"JobDetails", "application/"+row.format, `{"jobId":7}`)
		name, value, _ := strings.Cut(row.header, ": ")
		if got.status != row.status || got.header.Get(name) != value || !strings.HasPrefix(got.body, row.want) {
			t.Errorf("%s in %s: got %d %v %s", row.fault.Kind, row.format, got.status, got.header, got.body)
		}
	}
}

func TestLimitsOfFaults(t *testing.T) {
	ask := func(s *Sim, n int) (statuses []bool) {
		c := call(t, s)
		for range n {
			status, _ := c.text("POST", "JobDetails", `{"jobId":7}`)
			statuses = append(statuses, status == 500)
		}
		return statuses
	}
	count := func(all []bool) (n int) {
		for _, failed := range all {
			if failed {
				n++
			}
		}
		return n
	}
	s := running(7)
	s.Fault(Fault{Kind: ErrorFlat, Skip: 3, Next: 2})
	if got := ask(s, 7); count(got[:3]) != 0 || count(got[3:5]) != 2 || count(got[5:]) != 0 {
		t.Errorf("skip 3, next 2: %v", got)
	}
	s.Fault(Fault{Kind: ErrorFlat, Rate: 0.5, Next: 4})
	if got := ask(s, 200); count(got) != 4 || count(got[:4]) == 4 {
		t.Errorf("4 at a rate of 0.5: %v", got[:20])
	}
	s.Fault(Fault{Kind: ErrorFlat})
	if got := ask(s, 50); count(got) != 0 {
		t.Errorf("neither next nor rate: %v", got)
	}
}

func TestAFaultThatBeginsLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := running(7)
		s.Fault(Fault{Kind: TokenRevoked, After: time.Hour, Next: 1})
		c := call(t, s)
		c.token = c.login("watcher")["token"].(string)
		for minute := range 5 {
			if got, want := c.status(), []int{200, 200, 200, 401, 401}[minute]; got != want {
				t.Errorf("after %d minutes: got %d, want %d", 20*minute, got, want)
			}
			time.Sleep(20 * time.Minute)
		}
	})
}
