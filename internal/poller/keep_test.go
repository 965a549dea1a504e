package poller

import (
	"testing"
	"testing/synctest"
	"time"

	"jobwatch/internal/job"
)

// Who keeps finished jobs for a minute has them polled once more before it is over, and forgotten soon after it.
func TestKeepingForAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.FinishedWithin, c.KeepFinished = time.Minute, time.Minute })
		b.script.is(5, state("Running"))
		b.script.is(71, state("Running"))
		b.cycle()
		b.script.is(71, state("Completed"), ended(time.Now()))
		b.cycle()
		b.hasTold("prod/5 state:  → Running", "prod/71 state:  → Running", "prod/71 state: Running → Completed")
		if n := b.asks(71, time.Minute); n != 1 {
			t.Errorf("asked %d times within the minute, want one final poll", n)
		}
		b.keeps(71, true)
		if n := b.asks(71, 2*time.Minute); n != 0 {
			t.Errorf("asked %d times after the final poll", n)
		}
		b.keeps(71, false)
		b.keeps(5, true)
		b.hasTold() // and not told again
	})
}

// After an outage the list reaches back to before it: what it then names was told.
func TestWhatTheNextListMayNameIsNotForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.FinishedWithin, c.KeepFinished = time.Hour, time.Hour })
		b.script.is(71, state("Completed"), ended(time.Now()))
		b.tells("prod/71 state:  → Completed")
		time.Sleep(finalPollAfter)
		b.tells() // the final poll
		b.script.down = errAway
		for range 18 {
			time.Sleep(30 * time.Minute)
			b.cycle()
		}
		b.hasTold("prod unreachable")
		b.script.down = nil
		b.tells("prod reachable")
	})
}

func (b *bench) keeps(number int64, want bool) {
	b.t.Helper()
	if _, kept, err := b.store.Snapshot(job.ID{CommCell: "prod", Number: number}); err != nil || kept != want {
		b.t.Errorf("job %d is kept: %v, want %v; %v", number, kept, want, err)
	}
}
