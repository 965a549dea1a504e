package web

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
)

func TestEventsOfAJob(t *testing.T) {
	w := newWorld(t)
	for _, s := range []string{"Waiting", "Running", "Pending", "Running", "Failed"} {
		w.commServe.is(running(72))
		w.sees(state(71, job.Text(s)))
	}
	w.sent()
	read := func(query string) (words string, more bool) {
		t.Helper()
		var got jobEvents
		w.getJSON("/api/v1/jobs/prod/71/events"+query, &got)
		var all []string
		last := uint64(0)
		for _, e := range got.Events {
			parsed, err := event.Parse(e.Event)
			w.must(err)
			if e.Sequence <= last || !strings.HasPrefix(e.Subject, "jobs.prod.71.") {
				t.Errorf("%d behind %d, %s", e.Sequence, last, e.Subject)
			}
			last = e.Sequence
			data, err := parsed.Job()
			w.must(err)
			all = append(all, data.Change.Kind+" "+string(data.Change.To))
		}
		return strings.Join(all, ", "), got.More
	}
	const newest = "state Running, state Failed, failure Failed"
	if got, more := read(""); got != "state Waiting, state Running, state Pending, "+newest || more {
		t.Errorf("got %s, %t", got, more)
	}
	if got, more := read("?limit=3"); got != newest || !more {
		t.Errorf("got %s, %t", got, more)
	}
	for path, want := range map[string]int{
		"prod/71/events?limit=0": 400, "prod/71/events?limit=5001": 400, "prod/x/events": 404, "prod/0/events": 404, "prod/99/events": 200,
	} {
		if code, body := w.get("/api/v1/jobs/" + path); code != want || want == 200 && body != `{"events":[],"more":false}`+"\n" {
			t.Errorf("%s: got %d %s", path, code, body)
		}
	}
	w.stopNATS()
	w.until("the connection is lost", func() bool { return w.server.Broker.Usable() != nil })
	if code, body := w.get("/api/v1/jobs/prod/71/events"); code != http.StatusServiceUnavailable || !strings.Contains(body, `{"error":"`) {
		t.Errorf("without NATS: %d %s", code, body)
	}
}

// Who asks for more than may be read at once waits for the others, and not for ever.
func TestEventsOfFewJobsAtOnce(t *testing.T) {
	w := newWorld(t)
	w.sees(running(71))
	w.sent()
	ask := func() int {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if len(w.server.readers) < jobEventsAtOnce {
			ctx = t.Context()
		}
		got := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/api/v1/jobs/prod/71/events", nil)
		r.Host = "localhost"
		w.server.ServeHTTP(got, r)
		return got.Code
	}
	for range jobEventsAtOnce {
		w.server.readers <- struct{}{}
	}
	if got := ask(); got != http.StatusServiceUnavailable {
		t.Errorf("one too many: got %d", got)
	}
	<-w.server.readers
	if got := ask(); got != http.StatusOK {
		t.Errorf("got %d", got)
	}
}
