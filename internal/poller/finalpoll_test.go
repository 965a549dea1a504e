package poller

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"jobwatch/internal/commvault"
	"jobwatch/internal/job"
	"jobwatch/internal/store"
)

// asks polls every 30 s for a time, and gives how often the job was asked for.
func (b *bench) asks(number int64, within time.Duration) int {
	b.t.Helper()
	b.script.requests()
	for range within / (30 * time.Second) {
		time.Sleep(30 * time.Second)
		b.cycle()
	}
	return len(slices.DeleteFunc(b.script.requests(), func(n int64) bool { return n != number }))
}

func (b *bench) isTracked(number int64, want store.Why) {
	b.t.Helper()
	if why, err := b.store.WhyTracked(job.ID{CommCell: "prod", Number: number}); err != nil || why != want {
		b.t.Errorf("job %d is tracked as %q, want %q; %v", number, why, want, err)
	}
}

func TestFinalPoll(t *testing.T) {
	for _, row := range []struct {
		name      string
		meanwhile func(*bench)
		end       job.Text
		tells     []string
	}{
		{"nothing new", func(*bench) {}, "Completed", nil},
		{"recalculated", func(*bench) {}, "Completed w/ one or more errors", []string{
			"prod/71 state: Completed → Completed w/ one or more errors", "prod/71 failure: Completed → Completed w/ one or more errors"}},
		{"a restart between", func(b *bench) { b.Poller = New(b.Config) }, "Killed", []string{
			"prod/71 state: Completed → Killed", "prod/71 failure: Completed → Killed"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, nil)
				b.script.is(71, state("Running"))
				b.cycle()
				b.script.is(71, state("Completed"))
				b.cycle()
				b.hasTold("prod/71 state:  → Running", "prod/71 state: Running → Completed")
				b.isTracked(71, store.FinalPoll)
				b.script.is(71, state(row.end))
				row.meanwhile(b)
				if n := b.asks(71, finalPollAfter-30*time.Second); n != 0 {
					t.Errorf("asked %d times before the final poll", n)
				}
				b.hasTold()
				if n := b.asks(71, time.Hour); n != 1 {
					t.Errorf("asked %d times, want one final poll", n)
				}
				b.hasTold(row.tells...)
				b.isTracked(71, "")
			})
		})
	}
}

// A job that a final poll finds running is followed as before.
func TestFinalPollOfAJobThatRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Discover = false })
		if err := b.store.Track(store.ByHand, job.ID{CommCell: "prod", Number: 71}); err != nil {
			t.Fatal(err)
		}
		b.script.is(71, state("Completed"))
		b.tells("prod/71 state:  → Completed")
		b.script.is(71, state("Running"))
		b.asks(71, finalPollAfter)
		b.hasTold("prod/71 state: Completed → Running")
		if n := b.asks(71, 5*time.Minute); n != 10 {
			t.Errorf("asked %d times in 5 minutes, want 10", n)
		}
		b.script.is(71, state("Failed"))
		b.tells("prod/71 state: Running → Failed", "prod/71 failure: Running → Failed")
		b.isTracked(71, "")
	})
}

// A finished job that the CommServe has dropped by then is history, not lost, also where the list still names it.
func TestFinalPollOfAJobThatIsGone(t *testing.T) {
	for _, listed := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, func(c *Config) { c.LostAfter = time.Minute })
			b.script.is(5, state("Running"))
			b.script.is(71, state("Completed"))
			b.cycle()
			b.drain()
			if listed {
				b.script.broken[71] = &commvault.Error{Kind: commvault.UnknownJob, Err: commvault.ErrUnknownJob}
			} else {
				b.script.forgets(71)
			}
			if n := b.asks(71, time.Hour); n != missesInARow {
				t.Errorf("listed %v: asked %d times, want %d", listed, n, missesInARow)
			}
			b.hasTold()
			b.isTracked(71, "")
		})
	}
}

// A configured job is polled whatever becomes of it.
func TestAConfiguredJobHasNoFinalPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Discover, c.Jobs = false, []int64{71} })
		b.script.is(71, state("Completed"))
		b.tells("prod/71 state:  → Completed")
		b.isTracked(71, store.Configured)
		b.writes = 0
		if n := b.asks(71, 10*time.Minute); n != 20 || b.writes != 0 {
			t.Errorf("asked %d times in 10 minutes, want 20; %d transactions", n, b.writes)
		}
	})
}

// While it waits for its final poll a job is not among those that the last cycle polled.
func TestAJobThatWaitsForItsFinalPollIsInNoClass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.script.is(71, state("Completed"))
		for range 2 {
			b.cycle()
			if got := b.Counts.Totals().Classes; len(got) != 0 {
				t.Errorf("classes are %v", got)
			}
		}
	})
}

// The end comes with a new attempt: what that counts is told at the next poll, and not only at the final one.
func TestAnEndThatLeavesSomethingToTellIsPolledAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		attempt := func(n int64) func(*job.Snapshot) { return func(s *job.Snapshot) { s.Attempt = &n } }
		failed := func(s *job.Snapshot) { s.Failures = "0 Folders, 3 Files" }
		b.script.is(71, state("Running"), attempt(1))
		b.tells("prod/71 state:  → Running", "prod/71 watch:  → 1")
		b.script.is(71, state("Failed"), attempt(2), failed)
		b.tells("prod/71 state: Running → Failed", "prod/71 failure: Running → Failed", "prod/71 watch: 1 → 2")
		b.tells("prod/71 failure:  → 0 Folders, 3 Files")
	})
}
