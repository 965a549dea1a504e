package poller

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"jobwatch/internal/commvault"
	"jobwatch/internal/job"
	"jobwatch/internal/store"
)

// setClock is a schedule by a wall clock that may be set: it is ahead of the time that passes. As a cron expression it
// gives times without a reading of the steady clock.
type setClock struct {
	every time.Duration

	mu    sync.Mutex
	ahead time.Duration
	asked int
}

func (c *setClock) set(ahead time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead = ahead
}

// Next is told times of the true clock, and gives when the set one shows the next full step.
func (c *setClock) Next(after time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	return after.Add(c.ahead).Truncate(c.every).Add(c.every).Add(-c.ahead).Round(0)
}

// yearAgo is a schedule whose first time was computed before the clock was set forward by a year.
type yearAgo struct{ setClock }

func (y *yearAgo) Next(after time.Time) time.Time {
	if next := y.setClock.Next(after); y.asked > 1 {
		return next
	}
	return after.Add(-365 * 24 * time.Hour)
}

func TestAClockSetForwardDuringACycle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said bytes.Buffer
		schedule := &yearAgo{setClock{every: time.Minute}}
		b := newBench(t, func(c *Config) {
			c.Discover, c.Jobs, c.Schedule, c.Log = false, []int64{71}, schedule, slog.New(slog.NewTextHandler(&said, nil))
		})
		b.script.is(71, state("Running"))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- b.cycleOnSchedule(ctx) }()
		passes(2*time.Minute + time.Second)
		got := b.Counts.Totals()
		if got.Cycles != 3 || got.Skipped != mostSkipped || schedule.asked > 2*mostSkipped {
			t.Errorf("%d cycles, %d skipped, the schedule asked %d times; want 3 and %d", got.Cycles, got.Skipped, schedule.asked, mostSkipped)
		}
		if n := strings.Count(said.String(), "is skipped"); n != 1 {
			t.Errorf("said %d times:\n%s", n, said.String())
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// A schedule with long pauses goes by the clock as it is when the pause ends, not as it was when it began.
func TestAClockSetWhileATickIsWaitedFor(t *testing.T) {
	const day = 24 * time.Hour
	for _, row := range []struct {
		name  string
		ahead time.Duration // after an hour
		want  int64         // cycles within two minutes of that
	}{
		{"not set", 0, 1},
		{"forward to 90 s before the tick", 23*time.Hour - 90*time.Second, 2},
		{"back by ten years and to 90 s before a tick", -10*365*day + 23*time.Hour - 90*time.Second, 2},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(time.Until(time.Now().Truncate(day).Add(day)))
				schedule := &setClock{every: day}
				b := newBench(t, func(c *Config) { c.Discover, c.Jobs, c.Schedule = false, []int64{71}, schedule })
				b.script.is(71, state("Running"))
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan error)
				go func() { ended <- b.cycleOnSchedule(ctx) }()
				passes(time.Hour)
				schedule.set(row.ahead)
				passes(2*time.Minute + time.Second)
				if got := b.Counts.Totals(); got.Cycles != row.want || time.Until(got.Due) > day {
					t.Errorf("%d cycles, the next one in %v; want %d", got.Cycles, time.Until(got.Due), row.want)
				}
				cancel()
				if err := <-ended; err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// behind is a CommServe that is asked by a clock that is behind.
type behind struct {
	*script
	by time.Duration
}

func (a *behind) JobDetails(ctx context.Context, number int64) (job.Observation, error) {
	seen, err := a.script.JobDetails(ctx, number)
	seen.Asked, seen.Answered = seen.Asked.Add(-a.by).Round(0), seen.Answered.Add(-a.by).Round(0)
	return seen, err
}

func (a *behind) List(ctx context.Context, within time.Duration, yield func([]commvault.Line) error) error {
	return a.script.List(ctx, within, yield)
}

func TestAClockSetForwardStallsNoJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const year = 365 * 24 * time.Hour
		b := newBench(t, func(c *Config) { c.StallAfter = 30 * time.Minute })
		b.script.is(71, state("Running"), percent(40))
		source := &behind{script: b.script, by: year}
		b.Source = source
		b.cycle()
		b.drain()
		b.wants("before", b.cycleEvery(10*time.Minute, 1), "-")
		source.by = 0
		b.beganAt -= int64(year) // as our clock was then
		b.wants("after", b.cycleEvery(10*time.Minute, 2), "- prod/71 stalled")
	})
}

type never struct{}

func (never) Next(time.Time) time.Time { return time.Time{} }

// The 30th of February, say: a loop that waits for it would poll without a pause.
func TestAScheduleThatNeverComesAgainIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Schedule = never{} })
		b.script.takes = time.Second
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := b.Run(ctx); err == nil || !strings.Contains(err.Error(), "never comes again") {
			t.Errorf("got %v after %d requests", err, len(b.script.requests()))
		}
	})
}

func TestPollNow(t *testing.T) {
	prod := func(number int64) job.ID { return job.ID{CommCell: "prod", Number: number} }
	for _, row := range []struct {
		name  string
		takes time.Duration // each request
		asked int           // how often 706 has been asked for after 10 s
	}{
		{"between two cycles", 0, 1},
		{"during a cycle", 25 * time.Second, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, func(c *Config) { c.Discover, c.Jobs = false, []int64{71} })
				b.script.is(71, state("Running"))
				b.script.is(706, state("Running"))
				b.script.takes = row.takes
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan error)
				go func() { ended <- b.Run(ctx) }()
				time.Sleep(5 * time.Second)
				if err := b.store.Track(store.ByHand, prod(706)); err != nil {
					t.Fatal(err)
				}
				b.PollNow(prod(706))
				b.PollNow(prod(999)) // not tracked: not asked for
				b.PollNow(prod(71))  // with a slow CommServe it is being asked for already
				time.Sleep(5 * time.Second)
				synctest.Wait()
				count := map[int64]int{}
				for _, number := range b.script.requests() {
					count[number]++
				}
				if count[706] != row.asked || count[999] != 0 {
					t.Errorf("asked for 706 %d times, for 999 %d times; want %d and 0", count[706], count[999], row.asked)
				}
				cancel()
				if err := <-ended; err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestTwoNeverPollOneJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Discover, c.Jobs = false, []int64{71} })
		b.script.is(71, state("Running"))
		b.script.takes = 10 * time.Second
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- b.Run(ctx) }()
		time.Sleep(time.Second)
		b.PollNow(job.ID{CommCell: "prod", Number: 71})
		time.Sleep(19 * time.Second)
		synctest.Wait()
		if got := len(b.script.requests()); got != 1 {
			t.Errorf("asked %d times, want once", got)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
