package poller

import (
	"context"
	"errors"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"jobwatch/internal/commvault"
	"jobwatch/internal/event"
	"jobwatch/internal/failpoint"
	"jobwatch/internal/job"
	"jobwatch/internal/store/storetest"
)

func TestTellsWhatChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.script.is(71, state("Running"), phase("Scan"))
		b.tells("prod/71 state:  → Running", "prod/71 phase:  → Scan")
		b.script.is(71, state("Running"), phase("Backup"))
		b.tells("prod/71 phase: Scan → Backup")
		b.script.is(71, state("Completed"))
		b.tells("prod/71 state: Running → Completed")
	})
}

func TestUnchangedPollWritesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		for number := int64(1); number <= 20; number++ {
			b.script.is(number, state("Running"), elapsed(1))
		}
		b.cycle()
		b.writes = 0
		for second := int64(2); second < 5; second++ {
			for number := int64(1); number <= 20; number++ {
				b.script.is(number, state("Running"), elapsed(second))
			}
			b.cycle()
		}
		if b.writes != 0 {
			t.Fatalf("%d transactions for polls that changed nothing", b.writes)
		}
		if got := b.tally.polls["unchanged"]; got != 60 {
			t.Fatalf("%d unchanged polls counted, want 60", got)
		}
	})
}

func TestFinishedJobLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Jobs = []int64{5} })
		b.script.is(5, state("Completed"))
		b.script.is(71, state("Failed")) // began and ended between two cycles
		b.tells("prod/5 state:  → Completed", "prod/71 state:  → Failed", "prod/71 failure:  → Failed")
		b.script.requests()
		b.tells()
		if got := b.script.requests(); !slices.Equal(got, []int64{0, 5}) {
			t.Fatalf("asked for %d, want the list and the configured job", got)
		}
	})
}

func TestFinishedJobThatRunsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.script.is(71, state("Completed"))
		b.tells("prod/71 state:  → Completed")
		b.script.is(71, state("Running"))
		b.tells("prod/71 state: Completed → Running")
	})
}

func TestUnreachableOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Concurrency = 4 })
		for number := int64(1); number <= 100; number++ {
			b.script.is(number, state("Running"))
		}
		b.cycle()
		b.drain()
		b.script.requests()

		b.script.down = errAway
		b.tells("prod unreachable")
		if got := len(b.script.requests()); got > 30 {
			t.Errorf("%d requests before the CommCell was given up", got)
		}
		for range 5 {
			b.tells()
			if got := b.script.requests(); len(got) != 1 {
				t.Fatalf("a CommCell that does not answer is asked %d, want one probe", got)
			}
		}
		b.Poller = New(b.Config) // a restart
		b.tells()
		b.script.down = nil
		b.script.is(1, state("Completed"))
		b.tells("prod reachable", "prod/1 state: Running → Completed")
		b.tells()
	})
}

func TestOneBadJobIsNoOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.script.is(1, state("Running"))
		b.script.is(2, state("Running"))
		b.script.broken[2] = &commvault.Error{Operation: "JobDetails", Job: 2, Kind: commvault.Timeout}
		b.tells("prod/1 state:  → Running")
		b.script.is(1, state("Completed"))
		b.tells("prod/1 state: Running → Completed")
	})
}

func TestErrorsAreNoObservation(t *testing.T) {
	for _, kind := range []commvault.Kind{
		commvault.Unreachable, commvault.Timeout, commvault.HTTP, commvault.Throttled, commvault.Auth,
		commvault.Redirect, commvault.NotAnAnswer, commvault.TooLarge,
	} {
		t.Run(string(kind), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, nil)
				b.script.is(71, state("Running"))
				b.tells("prod/71 state:  → Running")
				b.script.broken[71] = &commvault.Error{Operation: "JobDetails", Job: 71, Kind: kind, Err: errors.New("no")}
				b.tells()
				delete(b.script.broken, 71)
				b.script.is(71, state("Completed"))
				b.tells("prod/71 state: Running → Completed")
				if kind != commvault.UnknownJob && b.tally.polls[string(kind)] != 1 {
					t.Errorf("counted %v", b.tally.polls)
				}
			})
		})
	}
}

func TestTriesAgainWithinTheCycle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Discover, c.Jobs = false, []int64{71} })
		b.script.broken[71] = &commvault.Error{Kind: commvault.NotAnAnswer}
		start := time.Now()
		b.cycle()
		if got := len(b.script.requests()); got != 3 {
			t.Errorf("asked %d times, want 3", got)
		}
		if took := time.Since(start); took < 500*time.Millisecond || took > 3*time.Second {
			t.Errorf("took %v: the tries are not spread", took)
		}
		b.script.broken[71] = &commvault.Error{Kind: commvault.Timeout}
		b.cycle()
		if got := len(b.script.requests()); got != 1 {
			t.Errorf("asked %d times after a time-out, want 1: the next cycle tries again", got)
		}
	})
}

func TestRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Discover, c.Jobs = false, []int64{71} })
		b.script.is(71, state("Running"))
		b.script.broken[71] = &commvault.Error{Kind: commvault.Throttled, RetryAfter: 5 * time.Second}
		start := time.Now()
		b.cycle()
		if took := time.Since(start); took < 10*time.Second {
			t.Errorf("three tries took %v, though each was to be 5 s after the last", took)
		}
		b.drain()
		b.script.broken[71] = &commvault.Error{Kind: commvault.Throttled, RetryAfter: time.Hour}
		time.Sleep(5 * time.Second)
		b.cycle()
		delete(b.script.broken, 71)
		b.script.requests()
		b.cycle()
		if got := b.script.requests(); len(got) != 0 {
			t.Errorf("asked for %d, though the server wants to be left alone for an hour", got)
		}
		time.Sleep(time.Hour)
		b.tells("prod reachable", "prod/71 state:  → Running")
	})
}

func TestOlderAnswersAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		noon := time.Now()
		b.script.is(71, state("Running"), updated(noon))
		b.tells("prod/71 state:  → Running")
		b.script.is(71, state("Waiting"), updated(noon.Add(-time.Hour)))
		b.tells()
		b.script.is(71, state("Running"), phase("Scan"), updated(noon.Add(time.Minute)))
		b.tells("prod/71 phase:  → Scan")

		// Three in a row that agree: the CommServe's clock was set back.
		b.script.is(71, state("Pending"), updated(noon.Add(-time.Hour)))
		b.tells()
		b.tells()
		b.tells("prod/71 state: Running → Pending")
	})
}

func TestAClockSetBackUnderAnUnchangedJobIsBelievedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		noon := time.Now()
		b.script.is(71, state("Running"), updated(noon))
		b.tells("prod/71 state:  → Running")
		b.script.is(71, state("Running"), updated(noon.Add(-time.Hour)))
		b.tells()
		b.tells()
		b.tells()
		b.script.is(71, state("Pending"), updated(noon.Add(-time.Minute)))
		b.tells("prod/71 state: Running → Pending")
	})
}

func TestSkippedTicks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Discover, c.Jobs = false, []int64{71} })
		b.script.is(71, state("Running"))
		b.script.takes = 70 * time.Second // over two schedules of 30 s
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- b.Run(ctx) }()
		time.Sleep(80 * time.Second)
		synctest.Wait()
		if got := b.Counts.Totals(); got.Skipped != 2 || got.Cycles != 1 {
			t.Errorf("after 80 s: %d cycles, %d skipped; want 1 and 2", got.Cycles, got.Skipped)
		}
		if got := len(b.script.requests()); got != 1 {
			t.Errorf("asked %d times, want once: the next cycle is due at 90 s", got)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestSlowCommCellSlowsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := newBench(t, func(c *Config) { c.Discover, c.Jobs = false, []int64{1} })
		slow.script.takes = time.Hour
		fast := newBench(t, func(c *Config) { c.Discover, c.Jobs, c.Store = false, []int64{1}, slow.store })
		fast.script.is(1, state("Running"))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go slow.Run(ctx)
		go fast.Run(ctx)
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if got := len(fast.script.requests()); got < 10 {
			t.Errorf("the fast CommCell was asked %d times in 5 minutes, want 11", got)
		}
		cancel()
		synctest.Wait()
	})
}

func TestConcurrencyAndRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Concurrency, c.RateLimit = 3, 10 })
		for number := int64(1); number <= 50; number++ {
			b.script.is(number, state("Running"))
		}
		b.script.takes = time.Second
		start := time.Now()
		b.cycle()
		if b.script.most > 3 {
			t.Errorf("%d requests at once, want at most 3", b.script.most)
		}
		if took := time.Since(start); took < 17*time.Second {
			t.Errorf("50 jobs of 1 s, 3 at once, took %v", took)
		}
		b.script.takes = 0
		start = time.Now()
		b.cycle()
		if took := time.Since(start); took < 5*time.Second {
			t.Errorf("50 requests at 10 a second took %v", took)
		}
	})
}

// fold is what foreign events in the stream tell of a job.
func fold(t *testing.T, events ...event.Event) event.Fold {
	var f event.Fold
	for i, e := range events {
		f.Add(uint64(100+i), encode(t, e))
	}
	return f
}

// An answer that was in flight when a foreign event came may be older than what that one tells.
func TestAForeignEventDuringAPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.script.is(71, state("Running"))
		b.tells("prod/71 state:  → Running")
		seen := job.Observation{Snapshot: job.Snapshot{CommCell: "prod", Number: 71, State: "Suspended"}, Answered: time.Now()}
		seen.Snapshot.Settle()
		e, err := event.NewMinter(nil).Job(2, job.Change{Kind: job.KindState, From: "Running", To: "Suspended"}, seen, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		b.script.takes = 10 * time.Second
		polled := make(chan struct{})
		go func() { defer close(polled); b.cycle() }()
		time.Sleep(15 * time.Second) // the list has come, the job is asked for
		if err := b.store.Adopt(seen.ID(), fold(t, e)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second) // it was Running
		b.script.is(71, state("Suspended"))
		<-polled
		b.hasTold()
	})
}

func TestRefreshPending(t *testing.T) {
	other := event.NewMinter(nil)
	tellOther := func(t *testing.T, b *bench, to job.Text) {
		seen := job.Observation{Snapshot: job.Snapshot{CommCell: "prod", Number: 71, State: to}, Answered: time.Now()}
		seen.Snapshot.Settle()
		e, err := other.Job(2, job.Change{Kind: job.KindState, From: "Running", To: to}, seen, time.Now().Add(-time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		if err := b.store.Adopt(seen.ID(), fold(t, e)); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("tells what the poll shows", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, nil)
			b.script.is(71, state("Running"))
			b.tells("prod/71 state:  → Running")
			b.script.is(71, state("Pending"))
			b.cycle() // held, never sent
			tellOther(t, b, "Suspended")
			b.hasTold()
			b.script.is(71, state("Killed"))
			b.tells("prod/71 state: Suspended → Killed", "prod/71 failure: Suspended → Killed")
		})
	})
	t.Run("is not taken from a cache that knows less than was told", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, nil)
			began := time.Now()
			b.script.is(71, state("Running"), updated(began))
			b.tells("prod/71 state:  → Running")
			b.script.is(71, state("Waiting"), updated(began.Add(-10*time.Second)))
			b.tells()
			b.tells() // two of the three in a row that would say that a clock was set back
			seen := job.Observation{Snapshot: job.Snapshot{CommCell: "prod", Number: 71, State: "Killed"}, Answered: time.Now()}
			seen.Snapshot.LastUpdateTime = new(began.Add(30 * time.Second))
			seen.Snapshot.Settle()
			e, err := other.Job(2, job.Change{Kind: job.KindState, From: "Running", To: "Killed"}, seen, began)
			if err != nil {
				t.Fatal(err)
			}
			if err := b.store.Adopt(seen.ID(), fold(t, e)); err != nil {
				t.Fatal(err)
			}
			b.script.is(71, state("Pending"), updated(began.Add(10*time.Second)))
			b.tells()
			b.script.is(71, state("Killed"), updated(began.Add(30*time.Second)))
			b.tells("prod/71 failure: Running → Killed")
		})
	})
	t.Run("is followed by another where it leaves something to tell", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, func(c *Config) { c.Discover = false })
			tellOther(t, b, "Running")
			attempt := func(s *job.Snapshot) { s.Attempt = new(int64(2)) }
			failed := func(s *job.Snapshot) { s.Failures = "0 Folders, 3 Files" }
			b.script.is(71, state("Failed"), attempt, failed)
			b.tells("prod/71 state: Running → Failed", "prod/71 failure: Running → Failed", "prod/71 watch:  → 2")
			b.tells("prod/71 failure:  → 0 Folders, 3 Files")
			if tracked, _ := b.store.Tracked("prod"); len(tracked) != 0 {
				t.Errorf("still tracked: %v", tracked)
			}
		})
	})
	t.Run("drops what it held when the poll shows what was told", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, nil)
			b.script.is(71, state("Running"))
			b.cycle()
			tellOther(t, b, "Running")
			b.tells()
			if got := b.store.Unsent(); got != 0 {
				t.Errorf("%d events still held", got)
			}
		})
	})
	t.Run("tells the newest snapshot once the CommServe has forgotten the job", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, nil)
			b.script.is(71, state("Running"))
			b.tells("prod/71 state:  → Running")
			b.script.is(71, state("Failed"))
			b.cycle()
			tellOther(t, b, "Suspended")
			delete(b.script.jobs, 71)
			b.tells()
			b.tells()
			b.tells("prod/71 state: Suspended → Failed", "prod/71 failure: Suspended → Failed")
			if tracked, _ := b.store.Tracked("prod"); len(tracked) != 0 {
				t.Errorf("still tracked: %v", tracked)
			}
		})
	})
}

func TestDiskErrorEndsTheCycle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Discover, c.Jobs = false, []int64{71} })
		b.script.is(71, state("Running"))
		full := errors.New("no space left on device")
		storetest.Hook(b.store, func(p failpoint.Point) error {
			if p == failpoint.BeforeCommit {
				return full
			}
			return nil
		})
		if err := b.Cycle(t.Context()); !errors.Is(err, full) {
			t.Fatalf("Poll says %v, want the disk's error", err)
		}
		storetest.Hook(b.store, nil)
		b.tells("prod/71 state:  → Running")
	})
}

func TestFailedButCommitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Discover, c.Jobs = false, []int64{71} })
		now := time.Now()
		b.script.is(71, state("Waiting"), updated(now))
		b.tells("prod/71 state:  → Waiting")
		b.script.is(71, state("Running"), updated(now.Add(20*time.Second)))
		lost := errors.New("it happened, but the answer was lost")
		storetest.Hook(b.store, func(p failpoint.Point) error {
			if p == failpoint.AfterCommit {
				return lost
			}
			return nil
		})
		if err := b.Cycle(t.Context()); !errors.Is(err, lost) {
			t.Fatalf("Poll says %v, want %v", err, lost)
		}
		storetest.Hook(b.store, nil)
		b.script.is(71, state("Pending"), updated(now.Add(10*time.Second)))
		b.tells("prod/71 state: Waiting → Running") // once; what an old cache shows is none
		b.script.is(71, state("Running"), updated(now.Add(20*time.Second)))
		b.tells()
	})
}

// A watcher that is started while its disk is full polls once there is room.
func TestStartsOnAFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Jobs = []int64{71} })
		b.script.is(71, state("Running"))
		full := time.Now().Add(10 * time.Second)
		storetest.Hook(b.store, func(failpoint.Point) error {
			if time.Now().Before(full) {
				return syscall.ENOSPC
			}
			return nil
		})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- b.Run(ctx) }()
		time.Sleep(9 * time.Second)
		if got := b.script.requests(); len(got) > 0 {
			t.Errorf("asked %v while nothing can be kept", got)
		}
		time.Sleep(5 * time.Second)
		b.hasTold("prod/71 state:  → Running")
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
