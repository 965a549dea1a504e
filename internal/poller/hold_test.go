package poller

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"math"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"jobwatch/internal/commvault"
	"jobwatch/internal/job"
	"jobwatch/internal/sim"
)

func throttled(wait time.Duration) error {
	return &commvault.Error{Operation: "JobDetails", Code: 429, Kind: commvault.Throttled, RetryAfter: wait}
}

// The list was answered, a job's details were refused for an hour: the CommCell answers, and is left alone.
func TestACycleInAHoldAsksNothingAndSaysNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said bytes.Buffer
		b := newBench(t, func(c *Config) { c.Log, c.Jobs = slog.New(slog.NewTextHandler(&said, nil)), []int64{71, 72} })
		b.script.is(71, state("Running"))
		b.tells("prod/71 state:  → Running")
		b.script.broken[71] = throttled(time.Hour)
		b.tells()
		delete(b.script.broken, 71)
		b.script.is(71, state("Completed"))
		b.script.requests()
		for range 60 {
			time.Sleep(59 * time.Second)
			b.tells()
		}
		if got := b.script.requests(); len(got) != 0 {
			t.Errorf("asked for %d in the hour", got)
		}
		if until, cause := b.Hold(); cause == nil || until.Before(time.Now()) {
			t.Errorf("held until %v: %v", until, cause)
		}
		if n := strings.Count(said.String(), "asks nothing until the CommServe allows it again"); n != 1 {
			t.Errorf("said %d times in\n%s", n, said.String())
		}
		time.Sleep(time.Minute)
		b.tells("prod/71 state: Running → Completed")
		if until, cause := b.Hold(); cause != nil {
			t.Errorf("held until %v: %v", until, cause)
		}
		b.isHeld(time.Hour)
		b.tells()
		if n := strings.Count(said.String(), "asks nothing until the CommServe allows it again"); n != 2 {
			t.Errorf("said %d times of two holds in\n%s", n, said.String())
		}
	})
}

func TestAHoldThatTheFeedIsToldHoldsForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, f, _ := feedBench(t, nil)
		f.mu.Lock()
		f.code, f.header = 429, http.Header{"X-Ratelimit-Period": {"3600"}}
		f.mu.Unlock()
		passes(10 * time.Second)
		f.countReads()
		b.script.requests()
		passes(59 * time.Minute)
		if asked, reads := b.script.requests(), f.countReads(); len(asked) != 0 || reads != 0 {
			t.Errorf("asked for %d, and read the feed %d times", asked, reads)
		}
		b.hasTold()
	})
}

// A cycle that finds itself in a hold has asked nothing, whichever request began it.
func TestWhatWasNotSentWasNotAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Discover, c.Jobs = false, []int64{71} })
		b.isHeld(time.Hour)
		c := newCycle(1)
		if err := b.sweep(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if err := b.concludeReachability(c); err != nil || c.asked != 0 || len(b.script.requests()) != 0 {
			t.Errorf("%v after %d requests", err, c.asked)
		}
		b.hasTold()
	})
}

// A quota lowers what is configured, and never raises it.
func TestAQuotaLowersTheRate(t *testing.T) {
	for _, row := range []struct{ configured, quota, want float64 }{{0, 1, 0.9}, {5, 1, 0.9}, {0.25, 1, 0.25}, {0.25, 0, 0.25}} {
		synctest.Test(t, func(t *testing.T) {
			var said bytes.Buffer
			p := New(Config{CommCell: "prod", RateLimit: row.configured, Log: slog.New(slog.NewTextHandler(&said, nil))})
			for range 2 {
				permit, err := p.limiter.Acquire(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				p.returnPermit(permit, true, &commvault.Error{Code: 429, Kind: commvault.Throttled, Rate: row.quota})
			}
			lines := strings.Count(said.String(), "asks no faster")
			if got := 1 / p.limiter.Interval().Seconds(); math.Abs(got-row.want) > 1e-6 || (lines == 1) != (row.want != row.configured) || lines > 1 {
				t.Errorf("%+v: asks %v times a second, and says so %d times", row, got, lines)
			}
		})
	}
}

// quota is a CommServe that allows so many requests an hour, names that in its refusals alone, and counts.
type quota struct {
	http.RoundTripper
	limit int

	mu             sync.Mutex
	began          time.Time
	spent, refused int // since it began; in all
	asked          int // in all
}

func (q *quota) RoundTrip(r *http.Request) (*http.Response, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.asked++
	if time.Since(q.began) >= time.Hour {
		q.began, q.spent = time.Now(), 0
	}
	if q.spent++; q.spent <= q.limit {
		return q.RoundTripper.RoundTrip(r)
	}
	q.refused++
	h := http.Header{"X-Ratelimit-Limit": {"100"}, "X-Ratelimit-Period": {"3600"}}
	return &http.Response{StatusCode: 429, Header: h, Body: io.NopCloser(strings.NewReader("")), Request: r}, nil
}

// Cycles, feed and unscheduled polls share the hold. Once the quota is known it is kept, and what it leaves is asked for;
// no outage is told, for every cycle that asked got an answer.
func TestAQuotaIsKeptByAllRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sim.New(sim.Config{})
		for id := range int64(5) {
			s.Add(sim.Job{ID: 71 + id, Steps: []sim.Step{{State: "Running"}}})
		}
		q := &quota{RoundTripper: s.Inside(), limit: 100}
		client, err := commvault.New(commvault.Config{CommCell: "prod", URL: "https://cs.example.com/webconsole/api", Token: "QSDK sim", Transport: q})
		if err != nil {
			t.Fatal(err)
		}
		b := newBench(t, func(c *Config) { c.Source, c.Feed, c.FeedEvery, c.Sweep = client, client, 5*time.Second, SweepDetails })
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- b.Run(ctx) }()
		for range 72 {
			time.Sleep(10 * time.Minute)
			b.PollNow(job.ID{CommCell: "prod", Number: 71})
		}
		stop()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		q.mu.Lock()
		defer q.mu.Unlock()
		if q.refused > 2 || q.asked < 11*85 {
			t.Errorf("%d of %d requests refused in 12 hours", q.refused, q.asked)
		}
		for _, told := range b.drain() {
			if strings.HasPrefix(told, "prod un") {
				t.Errorf("told %q", told)
			}
		}
		if got := client.Quota(); got.Limit != 100 || got.Period != time.Hour {
			t.Errorf("%+v", got)
		}
	})
}
