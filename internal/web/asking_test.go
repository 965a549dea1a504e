package web

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"jobwatch/internal/commvault"
	"jobwatch/internal/metrics"
	"jobwatch/internal/poller"
	"jobwatch/internal/stream"
)

// What came of the requests is what the metrics have counted.
func TestStatusCountsRequestsByWhatCame(t *testing.T) {
	meters := metrics.New("test")
	w := newWorld(t, func(c *Config) { c.Meters = meters })
	if got := w.status().CommCells[0].Requests; got == nil || len(got) != 0 {
		t.Errorf("before the first: %v", got)
	}
	cell := meters.CommCell("prod")
	for code, err := range map[int]error{200: nil, 429: &commvault.Error{Kind: commvault.Throttled}, 401: &commvault.Error{Kind: commvault.Auth}} {
		cell.Request("JobDetails", code, 0, err)
	}
	cell.Request("Jobs", 200, 0, nil)
	for range 3 {
		cell.Request("Jobs", 0, 0, &commvault.Error{Kind: commvault.Timeout, Err: context.DeadlineExceeded})
	}
	cell.Request("Login", 0, 0, &commvault.Error{Kind: commvault.Unreachable})
	meters.CommCell("lab").Request("Jobs", 500, 0, &commvault.Error{Kind: commvault.HTTP})
	want := map[string]int64{"200": 2, "429": 1, "401": 1, "timeout": 3, "unreachable": 1}
	if got := w.status().CommCells[0].Requests; !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestStatusHasTheLimits(t *testing.T) {
	w := newWorld(t)
	w.quota.Store(&commvault.Quota{Limit: 1000, Period: time.Hour, Spent: 17})
	cell := w.status().CommCells[0]
	if got := *cell.Limits; got.AtOnce != 2 || got.Ceiling != 8 || got.Rate != 0 || got.Wanted != 0 || got.Held != nil || got.Cause != "" {
		t.Errorf("at the start: %+v", got)
	}
	if got := *cell.Quota; got != (quota{1000, 3600, 17}) {
		t.Errorf("the quota is %+v", got)
	}
	w.commServe.goes(&commvault.Error{Operation: "Jobs", Kind: commvault.Throttled, Code: http.StatusTooManyRequests, RetryAfter: time.Hour, Rate: 0.5})
	w.poll()
	got := *w.status().CommCells[0].Limits
	if got.Held == nil || time.Until(*got.Held) < 50*time.Minute || !strings.Contains(got.Cause, "429") || got.Rate < 0.44 || got.Rate > 0.46 || got.Wanted != 0 {
		t.Errorf("after a refusal: %+v", got)
	}
}

func TestStatusHasHowLateChangesAreSeen(t *testing.T) {
	w := newWorld(t)
	w.sees(running(71))
	if cell := w.status().CommCells[0]; cell.Delay != nil || cell.Delays == nil || len(cell.Delays) != 0 {
		t.Errorf("a first poll says nothing: %+v, %v", cell.Delay, cell.Delays)
	}
	w.sees(ended(71, "Failed", time.Now()))
	cell := w.status().CommCells[0]
	if d := cell.Delay; d == nil || d.Changes != 1 || d.Median <= 0 || d.Median > 60 || d.P99 != d.Median {
		t.Errorf("got %+v", d)
	}
	if len(cell.Delays) != 1 || cell.Delays[0][0] != cell.Ring[1][0] || cell.Delays[0][3] != 1 {
		t.Errorf("got %v of %v", cell.Delays, cell.Ring)
	}
}

func TestStatusHasTheConnection(t *testing.T) {
	w := newWorld(t)
	w.sent()
	w.until("the stream was asked", func() bool { return w.status().NATS.RoundTrip != nil })
	is := w.status()
	if got := is.NATS; got.Server != w.listen || !strings.HasPrefix(got.Version, "2.") || got.Since == nil || time.Since(*got.Since) > time.Minute || got.Reconnects != 0 || *got.RoundTrip <= 0 || *got.RoundTrip > 5000 {
		t.Errorf("got %+v, %v", got, got.RoundTrip)
	}
	if is.Store.Free == nil || *is.Store.Free <= 0 {
		t.Errorf("the disk has no room: %+v", is.Store)
	}
	w.stopNATS()
	w.until("the connection is lost", func() bool { got := w.status().NATS; return got.Server == "" && got.Version == "" && got.Since == nil })
	w.startNATS()
	w.until("it is there again", func() bool { return w.status().NATS.Reconnects == 1 })
}

func TestStatusHasNoPasswordOfNATS(t *testing.T) {
	w := newWorld(t)
	w.stop()
	c := w.server.Config
	c.Broker = stream.New(stream.Config{URL: "nats://backup:hunter2@" + w.listen, Log: slog.New(slog.DiscardHandler)})
	w.runs(c.Broker.Run)
	w.serve(c)
	w.until("it is connected", func() bool { return w.status().NATS.Server == w.listen })
	w.stopNATS()
	w.until("it is away", func() bool { return w.status().NATS.Server == "" && w.server.Broker.LastError() != nil })
	if _, body := w.get("/api/v1/status"); strings.Contains(body, "hunter2") || strings.Contains(body, "backup:") {
		t.Errorf("got %s", body)
	}
}

// What NATS refuses for good is shown with what to do.
func TestStatusHasTheRefusals(t *testing.T) {
	w := newWorld(t)
	w.poll()
	w.becomes(200, "ok    publish")
	if got := w.status().Outbox.Refusals; got == nil || len(got) != 0 {
		t.Errorf("before: %v", got)
	}
	w.editStream(func(c *jetstream.StreamConfig) { c.MaxMsgs = 1 })
	w.sees(running(71))
	w.until("it is refused", func() bool { return len(w.status().Outbox.Refusals) == 1 })
	want := refusal{"stream_full", 1, "stream JOBS is full: maximum messages exceeded", "nats stream edit JOBS --max-msgs=-1"}
	if got := w.status().Outbox; got.Refusals[0] != want || got.Stopped != 1 {
		t.Errorf("got %+v, want %+v", got.Refusals, want)
	}
}

func TestStatusOfALimitedRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := poller.New(poller.Config{CommCell: "prod", RateLimit: 2.5, Concurrency: 1})
		if got := (&Server{}).asks(p).Limits; got.Rate != 2.5 || got.Wanted != 2.5 || got.AtOnce != 1 || got.Ceiling != 1 {
			t.Errorf("got %+v", got)
		}
	})
}
