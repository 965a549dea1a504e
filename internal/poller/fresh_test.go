package poller

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/robfig/cron/v3"

	"jobwatch/internal/job"
	"jobwatch/internal/store"
)

func percent(p float64) func(*job.Snapshot) { return func(s *job.Snapshot) { s.PercentComplete = &p } }

func TestFreshUntil(t *testing.T) {
	for _, row := range []struct {
		schedule string
		timeout  time.Duration
		want     time.Duration // after the last sign of life
	}{
		{"@every 1s", 30 * time.Second, 91 * time.Second}, // a request that takes its time is no sign of death
		{"@every 5m", 30 * time.Second, 20 * time.Minute}, // due, and three more
		{"0 0 * * *", 0, 25 * time.Hour},                  // due at midnight, and an hour
	} {
		synctest.Test(t, func(t *testing.T) { // which begins at midnight
			b := newBench(t, func(c *Config) {
				c.Timeout = row.timeout
				c.Schedule, _ = cron.ParseStandard(row.schedule)
			})
			if !b.FreshUntil().IsZero() {
				t.Errorf("%s: fresh until %v before anything was asked", row.schedule, b.FreshUntil())
			}
			b.cycle()
			if got := time.Until(b.FreshUntil()); got != row.want {
				t.Errorf("%s: fresh for %v, want %v", row.schedule, got, row.want)
			}
		})
	}
}

// A cycle that takes long lives as long as its polls end.
func TestLongCycleIsAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Discover, c.Jobs, c.Concurrency = false, []int64{1, 2, 3}, 1 })
		b.script.takes = time.Hour
		go b.Cycle(t.Context())
		time.Sleep(2*time.Hour + time.Minute)
		if !b.FreshUntil().After(time.Now()) {
			t.Errorf("the second poll ended a minute ago, and the cycle is taken for dead since %v", b.FreshUntil())
		}
		time.Sleep(time.Hour)
		synctest.Wait()
	})
}

// As rare as a rate or a quota has them, requests are signs of life.
func TestACycleWithFewRequestsIsAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Jobs, c.RateLimit = []int64{1, 2, 3}, 1.0/600 })
		b.cycle()
		go b.Cycle(t.Context())
		for minute := range 39 {
			time.Sleep(time.Minute)
			if until := b.FreshUntil(); !until.After(time.Now()) {
				t.Fatalf("minute %d: taken for dead since %v", minute, time.Since(until))
			}
		}
		time.Sleep(time.Hour)
		synctest.Wait()
	})
}

func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.script.is(71, state("Running"), percent(40))
		b.script.is(72, state("Waiting"))
		if _, known := b.Progress(71); known {
			t.Error("progress before the first poll")
		}
		b.cycle()
		time.Sleep(30 * time.Second)
		b.script.is(71, state("Running"), percent(60))
		b.cycle()
		if p, known := b.Progress(71); !known || p.Percent == nil || *p.Percent != 60 || !p.Asked.Equal(time.Now()) {
			t.Errorf("got %+v, %v", p, known)
		}
		if p, known := b.Progress(72); !known || p.Percent != nil {
			t.Errorf("without a percentage: %+v, %v", p, known)
		}
	})
}

func TestStanding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.script.is(71, state("Running"))
		b.script.is(72, state("Waiting"))
		if err := b.store.Track(store.Configured, job.ID{CommCell: "prod", Number: 80}); err != nil {
			t.Fatal(err)
		}
		classes := func(want map[string]int) {
			t.Helper()
			got := b.Counts.Totals().Classes
			for class, n := range want {
				if got[class] != n || len(got) != len(want) {
					t.Errorf("classes are %v, want %v", got, want)
				}
			}
		}
		b.cycle()
		classes(map[string]int{"active": 1, "queued": 1, "unknown": 1}) // 80 was never seen
		start := time.Now()
		if got := b.Counts.Totals(); !got.Up || !got.Since.Equal(start) || !got.Answered.Equal(start) || got.Broken != nil {
			t.Errorf("got %+v", got)
		}
		b.script.is(72, state("Completed"))
		time.Sleep(30 * time.Second)
		b.cycle()
		classes(map[string]int{"active": 1, "unknown": 1}) // 72 is told to its end
		b.script.down = errAway
		b.cycle()
		down := time.Now()
		time.Sleep(30 * time.Second)
		b.cycle()
		classes(map[string]int{"active": 1, "unknown": 1})
		if got := b.Counts.Totals(); got.Up || !got.Since.Equal(down) || got.Answered.After(down) || got.Reason != errAway.Error() {
			t.Errorf("while it is away: %+v", got)
		}
		if b.tally.told["commcell"] != 1 || b.tally.told["state"] != 3 || b.tally.cycles != 4 {
			t.Errorf("counted %+v", b.tally)
		}
		if got := b.tally.polls; got["ok"] != 3 || got["unchanged"] != 1 || got["unknown_job"] != 2 || got["unreachable"] != 3 || b.tally.took != 9 {
			t.Errorf("counted %v, %d polls", got, b.tally.took)
		}
	})
}

// The delay is the time in which a change may have happened; a first observation has none.
func TestDetectionDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.script.is(71, state("Waiting"))
		b.cycle()
		time.Sleep(30 * time.Second)
		b.cycle()
		time.Sleep(30 * time.Second)
		b.script.is(71, state("Running"))
		b.cycle()
		if len(b.tally.delays) != 1 || b.tally.delays[0] != 30*time.Second {
			t.Errorf("delays are %v, want 30s", b.tally.delays)
		}
	})
}
