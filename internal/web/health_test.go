package web

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"jobwatch/internal/commvault"
	"jobwatch/internal/testing/slow"
)

// readyz fails the test unless /readyz answers so, with the line; /healthz is fine whatever happens.
func (w *world) readyz(code int, line string) {
	w.Helper()
	got, body := w.get("/readyz")
	if got != code || !strings.Contains(body, line) {
		w.Errorf("/readyz: got %d %q, want %d and %q", got, body, code, line)
	}
	if got, _ := w.get("/healthz"); got != http.StatusOK {
		w.Errorf("/healthz: got %d", got)
	}
}

// becomes waits until /readyz answers so.
func (w *world) becomes(code int, line string) {
	w.Helper()
	w.until(line, func() bool {
		got, body := w.get("/readyz")
		return got == code && strings.Contains(body, line)
	})
}

func TestReadyOnceSomethingWasAsked(t *testing.T) {
	w := newWorld(t)
	w.becomes(http.StatusServiceUnavailable, "not ready\nok    store\nok    outbox: 0 events wait for the broker\nok    nats\nok    publish\n"+
		"red   commcell prod: nothing has been asked yet\n")
	w.poll()
	w.readyz(http.StatusOK, "ready\nok    store\nok    outbox: 0 events wait for the broker\nok    nats\nok    publish\nok    commcell prod\n")
}

func TestNotReadyWithoutNATS(t *testing.T) {
	w := newWorld(t)
	w.poll()
	w.becomes(http.StatusOK, "ok    nats")
	w.stopNATS()
	w.becomes(http.StatusServiceUnavailable, "red   nats: nats://"+w.listen+": no NATS server answers there")
	w.startNATS()
	w.becomes(http.StatusOK, "ok    nats")
}

func TestNotReadyWhileAnEventIsRefused(t *testing.T) {
	w := newWorld(t)
	w.poll()
	w.becomes(http.StatusOK, "ok    publish")
	w.editStream(func(c *jetstream.StreamConfig) { c.MaxMsgs = 1 })
	w.sees(running(71))
	w.becomes(http.StatusServiceUnavailable, "red   publish: the broker refuses the events of 1 jobs for good: stream JOBS is full: maximum messages exceeded; mend with: nats stream edit JOBS --max-msgs=-1")
	w.editStream(func(c *jetstream.StreamConfig) { c.MaxMsgs = -1 })
	w.becomes(http.StatusOK, "ok    publish")
}

// A stream that is edited while it is in use is red at once, by name, and nothing more is sent until it is mended.
func TestNotReadyOnAStreamEditedUnderWay(t *testing.T) {
	w := newWorld(t)
	w.sees(running(71))
	w.becomes(http.StatusOK, "ok    nats")
	w.editStream(func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject = 1 })
	const why = "stream JOBS: max_msgs_per_subject is 1, needs -1; mend with: nats stream edit JOBS --max-msgs-per-subject=-1"
	w.becomes(http.StatusServiceUnavailable, "red   nats: "+why)
	if _, body := w.get("/api/v1/status"); !strings.Contains(body, why) {
		t.Errorf("/api/v1/status: %s", body)
	}
	w.sees(running(72))
	w.readyz(http.StatusServiceUnavailable, why)
	if w.store.Unsent() == 0 {
		t.Error("an event was sent in spite of it")
	}
	w.editStream(func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject = -1 })
	w.becomes(http.StatusOK, "ok    outbox: 0 events wait for the broker")
}

func (w *world) editStream(edit func(*jetstream.StreamConfig)) {
	w.Helper()
	nc, err := nats.Connect(w.nats.ClientURL())
	w.must(err)
	defer nc.Close()
	js, err := jetstream.New(nc)
	w.must(err)
	s, err := js.Stream(w.Context(), "JOBS")
	w.must(err)
	c := s.CachedInfo().Config
	edit(&c)
	_, err = js.UpdateStream(w.Context(), c)
	w.must(err)
}

func TestNotReadyWhenTheStoreCutsATickShort(t *testing.T) {
	w := newWorld(t)
	w.poll()
	w.diskFull.Store(true)
	w.commServe.is(running(71))
	if err := w.poller.Cycle(t.Context()); err == nil {
		t.Fatal("the tick was not cut short")
	}
	w.readyz(http.StatusServiceUnavailable, "red   commcell prod: the last tick was cut short: no space left on device")
	w.diskFull.Store(false)
	w.poll()
	w.becomes(http.StatusOK, "ok    commcell prod")
}

func TestStoreThatCannotBeRead(t *testing.T) {
	w := newWorld(t)
	w.poll()
	w.must(w.store.Close())
	w.readyz(http.StatusServiceUnavailable, "red   store: it cannot be read: database not open")
	for _, path := range []string{"/api/v1/jobs", "/api/v1/jobs/prod/71"} {
		if code, body := w.get(path); code != http.StatusInternalServerError || !strings.Contains(body, "the store cannot be read") {
			t.Errorf("%s: got %d %s", path, code, body)
		}
	}
	if code, body := w.get("/metrics"); code != http.StatusOK || !strings.Contains(body, "jobwatch_polls_total") {
		t.Errorf("/metrics: got %d", code)
	}
}

// A CommServe that is away is told, and is no fault of the watcher's.
// What a CommServe says must not act upon the terminal of who asks with curl.
func TestReadyCannotMoveTheTerminal(t *testing.T) {
	w := newWorld(t)
	w.commServe.goes(errors.New("fs\u202egpj.elif \x1b[2J\nok    everything"))
	w.poll()
	w.becomes(http.StatusOK, `fs\u202egpj.elif \u001b[2J ok    everything`)
}

func TestReadyWhileACommCellIsAway(t *testing.T) {
	slow.Test(t, "2 s", "an outage is known when the tries of a cycle are over, with their real pauses")
	w := newWorld(t)
	w.sees(running(71))
	w.commServe.goes(errAway)
	w.poll()
	w.becomes(http.StatusOK, "note  commcell prod: the CommServe does not answer, since ")
	w.commServe.goes(nil)
	w.poll()
	w.becomes(http.StatusOK, "ok    commcell prod")
}

// One that wants to be left alone is asked nothing: that is no outage, and no silence either.
func TestReadyWhileACommCellWantsToBeLeftAlone(t *testing.T) {
	w := newWorld(t)
	w.commServe.is(running(71))
	w.commServe.busy = &commvault.Error{Operation: "JobDetails", Code: 429, Kind: commvault.Throttled, RetryAfter: time.Hour}
	w.poll()
	w.becomes(http.StatusOK, "note  commcell prod: asks nothing until "+time.Now().Add(time.Hour).UTC().Format("2006-01-02T15:"))
	w.becomes(http.StatusOK, ": JobDetails: HTTP 429: Too Many Requests")
}

func TestChecksOfTime(t *testing.T) {
	began := time.Now()
	w := newWorld(t)
	w.poll()
	w.stopNATS()
	w.sees(running(71))
	find := func(name string, at time.Time) check {
		t.Helper()
		for _, c := range w.server.checks(at) {
			if c.Name == name {
				return c
			}
		}
		t.Fatalf("no check of %s", name)
		return check{}
	}
	now := time.Now() // a busy machine came here late: what is fine yet counts from the beginning
	for _, row := range []struct {
		name string
		at   time.Time
		want string
	}{
		{"outbox", now, ok},
		{"outbox", began.Add(longestWait - 10*time.Second), ok},
		{"outbox", now.Add(longestWait + 10*time.Second), red},
		{"commcell prod", now, ok},
		{"commcell prod", began.Add(80 * time.Second), ok}, // due every 30 s
		{"commcell prod", now.Add(3 * time.Minute), red},
	} {
		if c := find(row.name, row.at); c.State != row.want {
			t.Errorf("%s after %v: %+v, want %s", row.name, row.at.Sub(began), c, row.want)
		}
	}
}

func TestReadyzTellsReasonsToReadersOnly(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Token = "s3cret" })
	w.readyz(http.StatusServiceUnavailable, "red   commcell prod: nothing has been asked yet\n")
	code, body, _ := w.ask(http.MethodGet, "/readyz", nil)
	if code != http.StatusServiceUnavailable || !strings.Contains(body, "red   commcell prod\n") {
		t.Errorf("without the token: %d %q", code, body)
	}
}
