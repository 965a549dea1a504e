package web

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"jobwatch/internal/cluster"
	"jobwatch/internal/commvault"
	"jobwatch/internal/job"
	"jobwatch/internal/poller"
	"jobwatch/internal/sim"
)

const answerOf71 = "/api/v1/jobs/prod/71/answer"

func fromPage(r *http.Request) { r.Header.Set("X-Requested-With", "page") }

// anew lets the next one ask at once.
func (t *turns) anew() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.began)
}

// askNow asks as the page does.
func (w *world) askNow() (code int, body string, header http.Header) {
	w.Helper()
	w.server.turns.anew()
	return w.ask(http.MethodGet, answerOf71, fromPage)
}

// knows is all that the watcher knows of its jobs, and has to tell.
func (w *world) knows() string {
	w.Helper()
	l, found, err := w.store.Show(job.ID{CommCell: "prod", Number: 71})
	progress, _ := w.poller.Progress(71)
	if err != nil || !found {
		w.Fatal(found, err)
	}
	totals := w.poller.Counts.Totals()
	totals.Due = time.Time{}
	return string(encode([]any{l, l.Told, l.Sequence, l.Sent, w.store.Unsent(), progress, totals}))
}

// asksSim has the requests of people go to a simulated CommServe, over HTTP.
func (w *world) asksSim(format string) *sim.Sim {
	w.Helper()
	play := sim.New(sim.Config{})
	play.Add(sim.Job{ID: 71, Client: "fall", Steps: []sim.Step{{At: -time.Minute, State: "Completed"}}})
	server := httptest.NewServer(play)
	w.Cleanup(server.Close)
	client, err := commvault.New(commvault.Config{CommCell: "prod", URL: server.URL, Username: "watcher", Password: "watcher", Format: format})
	w.must(err)
	w.commServe.says(client.RawDetails)
	return play
}

// What the CommServe says is shown as it is, though it is news: nothing is made of it.
func TestAskNow(t *testing.T) {
	for _, format := range []string{"json", "xml"} {
		w := newWorld(t)
		w.sees(running(71))
		w.sent()
		before := w.knows()
		w.asksSim(format)
		code, body, _ := w.askNow()
		var got struct {
			AskedAt, AnsweredAt time.Time
			Answer              json.RawMessage
		}
		w.must(json.Unmarshal([]byte(body), &got))
		if code != http.StatusOK || time.Since(got.AskedAt) > time.Minute || got.AnsweredAt.Before(got.AskedAt) {
			t.Errorf("%s: %d %s", format, code, body)
		}
		var whole struct {
			Job struct {
				JobDetail struct{ ProgressInfo struct{ State string } }
			}
		}
		var text string
		switch err := json.Unmarshal(got.Answer, &text); {
		case format == "xml" && (err != nil || !strings.Contains(text, `state="Completed"`)):
			t.Errorf("xml: %s: %v", got.Answer, err)
		case format == "json" && (json.Unmarshal(got.Answer, &whole) != nil || whole.Job.JobDetail.ProgressInfo.State != "Completed"):
			t.Errorf("json: %s", got.Answer)
		}
		if after := w.knows(); after != before {
			t.Errorf("%s: something was made of it: before\n%s\nafter\n%s", format, before, after)
		}
	}
}

// No page of another site can have a CommServe asked, whatever its browser tells of it.
func TestNoOtherSiteHasACommServeAsked(t *testing.T) {
	w := newWorld(t)
	w.sees(running(71))
	var asked atomic.Int32
	w.commServe.says(func(context.Context, int64) (commvault.Raw, error) {
		asked.Add(1)
		return commvault.Raw{JSON: json.RawMessage(`{}`)}, nil
	})
	for _, row := range []struct {
		site, with string
		want       int
	}{
		{"same-origin", "", 200}, {"none", "", 200}, {"", "XMLHttpRequest", 200},
		{"cross-site", "", 403}, {"same-site", "", 403}, {"", "", 403}, {"cross-site", "XMLHttpRequest", 403}, {"made up", "", 403},
	} {
		w.server.turns.anew()
		before := asked.Load()
		code, body, _ := w.ask(http.MethodGet, answerOf71, func(r *http.Request) {
			for name, value := range map[string]string{"Sec-Fetch-Site": row.site, "X-Requested-With": row.with} {
				if value != "" {
					r.Header.Set(name, value)
				}
			}
		})
		if was := asked.Load() > before; code != row.want || was != (row.want == 200) || row.want != 200 && !strings.HasPrefix(body, `{"error":"`) {
			t.Errorf("%+v: got %d %s, asked: %v", row, code, body, was)
		}
	}
}

// Who asks with HEAD wants no answer, and has no CommServe asked.
func TestHEADAsksNoCommServe(t *testing.T) {
	w := newWorld(t)
	w.sees(running(71))
	var asked atomic.Int32
	w.commServe.says(func(context.Context, int64) (commvault.Raw, error) {
		asked.Add(1)
		return commvault.Raw{JSON: json.RawMessage(`{}`)}, nil
	})
	code, body, header := w.ask(http.MethodHead, answerOf71, fromPage)
	if code != http.StatusMethodNotAllowed || header.Get("Allow") != "GET" || body != "" || asked.Load() != 0 {
		t.Errorf("got %d %q, Allow %q, and %d requests", code, body, header.Get("Allow"), asked.Load())
	}
}

func TestAskNowRefused(t *testing.T) {
	var shown atomic.Pointer[cluster.Status]
	shown.Store(clusterOf(map[string]string{"prod": "w1"}))
	var polls atomic.Bool
	polls.Store(true)
	w := newWorld(t, inCluster(&shown, "prod"), func(c *Config) {
		all := c.Pollers
		c.Pollers = func() []*poller.Poller {
			if polls.Load() {
				return all()
			}
			return nil
		}
	})
	w.sees(running(71))
	refused := func(path string, want int, words string) {
		t.Helper()
		code, body, _ := w.ask(http.MethodGet, path, fromPage)
		if code != want || strings.Contains(body, `{"error":"`) != (want != 200) || !strings.Contains(body, words) {
			t.Errorf("%s: got %d %s, want %d %s", path, code, body, want, words)
		}
	}
	refused("/api/v1/jobs/prod/99/answer", 404, "is not known here")
	refused("/api/v1/jobs/prod/x/answer", 404, "")
	shown.Store(clusterOf(map[string]string{"prod": "w2"}))
	refused(answerOf71, 409, "prod is polled by w2; ask there")
	shown.Store(clusterOf(nil))
	polls.Store(false)
	refused(answerOf71, 409, "prod is not polled here now")
	shown.Store(clusterOf(map[string]string{"prod": "w1"}))
	polls.Store(true)
	refused(answerOf71+"?", 200, "")
}

// One at a time is asked of a CommCell, and one in two seconds; what was refused before it was asked does not count.
func TestAskNowTooOften(t *testing.T) {
	w := newWorld(t)
	w.sees(running(71))
	under, goOn := make(chan struct{}), make(chan struct{})
	w.commServe.says(func(context.Context, int64) (commvault.Raw, error) {
		under <- struct{}{}
		<-goOn
		return commvault.Raw{JSON: json.RawMessage(`{}`)}, nil
	})
	tooOften := func(when string) {
		t.Helper()
		code, body, header := w.ask(http.MethodGet, answerOf71, fromPage)
		if wait, err := strconv.Atoi(header.Get("Retry-After")); code != http.StatusTooManyRequests || err != nil || wait < 1 || wait > 2 {
			t.Errorf("%s: got %d %s, Retry-After %q", when, code, body, header.Get("Retry-After"))
		}
	}
	first := make(chan int)
	go func() {
		code, _, _ := w.ask(http.MethodGet, answerOf71, fromPage)
		first <- code
	}()
	<-under
	w.server.turns.anew()
	tooOften("while it is asked")
	goOn <- struct{}{}
	if code := <-first; code != http.StatusOK {
		t.Errorf("the first: %d", code)
	}
	w.commServe.says(nil)
	if code, body, _ := w.askNow(); code != http.StatusOK {
		t.Errorf("later: %d %s", code, body)
	}
	tooOften("just after")
}

// What keeps the CommServe from an answer is said in words, and counts for the polls as if it were theirs.
func TestAskNowWithoutAnswer(t *testing.T) {
	w := newWorld(t)
	w.sees(running(71))
	for want, err := range map[string]error{
		"connection refused":                      errAway,
		"JobDetails of job 71: HTTP 401: expired": &commvault.Error{Operation: "JobDetails", Job: 71, Kind: commvault.Auth, Code: 401, Words: "expired"},
		"the CommServe does not know the job":     commvault.ErrUnknownJob,
	} {
		w.commServe.says(func(context.Context, int64) (commvault.Raw, error) { return commvault.Raw{}, err })
		if code, body, _ := w.askNow(); code != http.StatusBadGateway || !strings.Contains(body, want) {
			t.Errorf("got %d %s, want %s", code, body, want)
		}
	}
	play := w.asksSim("json")
	play.Fault(sim.Fault{Kind: sim.OtherJob, Op: sim.OpJobDetails, Next: 1})
	if code, body, _ := w.askNow(); code != http.StatusBadGateway || !strings.Contains(body, "the answer is of job") {
		t.Errorf("another job: got %d %s", code, body)
	}
	before := w.knows()
	play.Fault(sim.Fault{Kind: sim.TooMany, Op: sim.OpJobDetails, Next: 1, Delay: time.Hour})
	if code, body, _ := w.askNow(); code != http.StatusBadGateway || !strings.Contains(body, "HTTP 429") {
		t.Errorf("throttled: got %d %s", code, body)
	}
	if until, cause := w.poller.Hold(); time.Until(until) < 50*time.Minute || cause == nil {
		t.Errorf("the polls go on: %v, %v", until, cause)
	}
	code, body, header := w.askNow()
	if wait, err := strconv.Atoi(header.Get("Retry-After")); code != http.StatusTooManyRequests || err != nil || wait < 3000 || !strings.Contains(body, "not asked now") {
		t.Errorf("in the hold: got %d %s, Retry-After %q", code, body, header.Get("Retry-After"))
	}
	if after := w.knows(); after != before {
		t.Errorf("something was made of it: before\n%s\nafter\n%s", before, after)
	}
}

// deadlines notes what a connection was given.
type deadlines struct {
	*httptest.ResponseRecorder
	read, write time.Time
}

func (d *deadlines) SetReadDeadline(at time.Time) error  { d.read = at; return nil }
func (d *deadlines) SetWriteDeadline(at time.Time) error { d.write = at; return nil }

// A CommServe may take longer than an answer here may; a reader may not.
func TestAskNowMayTakeLong(t *testing.T) {
	w := newWorld(t)
	w.sees(running(71))
	connection := &deadlines{ResponseRecorder: httptest.NewRecorder(), read: time.Now()}
	asked := false
	w.commServe.says(func(context.Context, int64) (commvault.Raw, error) {
		asked = connection.read.IsZero() && connection.write.IsZero()
		return commvault.Raw{JSON: json.RawMessage(`{}`)}, nil
	})
	r := httptest.NewRequest(http.MethodGet, answerOf71, nil)
	r.Host = "localhost"
	fromPage(r)
	w.server.ServeHTTP(connection, r)
	if left := time.Until(connection.write); connection.Code != http.StatusOK || !asked || left <= 0 || left > answerWithin {
		t.Errorf("got %d; without a deadline while asked: %v; then %v for the answer", connection.Code, asked, left)
	}
}
