package poller

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
	"jobwatch/internal/store"
)

// isToldBy has another watcher tell of a job that this one stands by for.
func (b *bench) isToldBy(m *event.Minter, number int64, sequence uint64, from, to job.Text, edits ...func(*job.Snapshot)) {
	b.t.Helper()
	b.mustStore(b.store.StandBy(b.foreign(m, number, sequence, from, to, edits...)))
}

// adopts has another watcher tell of a job that this one polls.
func (b *bench) adopts(m *event.Minter, number int64, sequence uint64, from, to job.Text, edits ...func(*job.Snapshot)) {
	b.t.Helper()
	b.mustStore(b.store.Adopt(b.foreign(m, number, sequence, from, to, edits...)))
}

func (b *bench) foreign(m *event.Minter, number int64, sequence uint64, from, to job.Text, edits ...func(*job.Snapshot)) (job.ID, event.Fold) {
	b.t.Helper()
	seen := job.Observation{Snapshot: job.Snapshot{CommCell: "prod", Number: number, State: to}, Answered: time.Now()}
	for _, edit := range edits {
		edit(&seen.Snapshot)
	}
	seen.Snapshot.Settle()
	e, err := m.Job(sequence, job.Change{Kind: job.KindState, Detail: job.Slug(to), From: from, To: to}, seen, time.Now().Add(-time.Minute))
	if err != nil {
		b.t.Fatal(err)
	}
	return seen.ID(), fold(b.t, e)
}

// standsBy runs RunOwed until the function it gives is called.
func (b *bench) standsBy() (stop func()) {
	ctx, cancel := context.WithCancel(b.t.Context())
	ended := make(chan error)
	go func() { ended <- b.RunOwed(ctx) }()
	synctest.Wait()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			b.t.Error(err)
		}
		synctest.Wait()
	}
}

func (s *script) isDown(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = err
}

// holds has the job's second event wait in the outbox, and a third one behind it.
func (b *bench) holds(number int64, at time.Time) {
	b.t.Helper()
	b.script.is(number, state("Running"), updated(at))
	b.cycle()
	b.drain()
	b.script.is(number, state("Pending"), updated(at.Add(time.Second)))
	b.cycle()
	b.script.requests()
}

// What is held of a job, of which another watcher has told meanwhile, is looked at by who holds it: nothing else is asked.
func TestWhoStandsByTakesTheOnePollThatItOwes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, other := newBench(t, nil), event.NewMinter(nil)
		b.script.is(72, state("Running"))
		b.holds(71, time.Now())
		defer b.standsBy()()
		passes(time.Hour)
		if asked := b.script.requests(); len(asked) > 0 {
			t.Errorf("asked %v though nothing is owed", asked)
		}
		b.isToldBy(other, 72, 2, "Running", "Suspended") // nothing of it is held
		b.script.is(71, state("Killed"))
		b.isToldBy(other, 71, 2, "Running", "Suspended")
		synctest.Wait()
		b.hasTold("prod/71 state: Suspended → Killed", "prod/71 failure: Suspended → Killed")
		passes(time.Hour)
		if asked := b.script.requests(); !slices.Equal(asked, []int64{71}) {
			t.Errorf("asked %v, want 71 once", asked)
		}
		b.hasTold()
	})
}

// A CommServe that does not answer is asked less and less, and of that it does not answer nothing is told.
func TestWhoStandsByLeavesACommServeAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, other := newBench(t, nil), event.NewMinter(nil)
		b.holds(71, time.Now())
		b.script.isDown(errAway)
		b.isToldBy(other, 71, 2, "Running", "Suspended")
		defer b.standsBy()()
		passes(time.Hour)
		if n := len(b.script.requests()); n < 50 || n > 3*70 {
			t.Errorf("asked %d times in an hour", n)
		}
		b.hasTold()
		b.script.isDown(nil)
		passes(owedLate)
		b.hasTold("prod/71 state: Suspended → Pending")
	})
}

// A job that the CommServe knows no more is told from what is held of it, if that is no older than what was told. That it
// is lost is for its owner to say.
func TestWhoStandsByTellsWhatIsHeldOfAJobThatIsGone(t *testing.T) {
	for _, row := range []struct {
		theirs time.Duration // the own time of what was told, against that of what is held
		want   []string
	}{
		{-time.Minute, []string{"prod/71 state: Suspended → Pending"}},
		{time.Minute, nil},
	} {
		synctest.Test(t, func(t *testing.T) {
			b, other := newBench(t, func(c *Config) { c.LostAfter = time.Minute }), event.NewMinter(nil)
			at := time.Now().Add(-time.Hour)
			b.holds(71, at)
			b.script.forgets(71)
			b.isToldBy(other, 71, 2, "Running", "Suspended", updated(at.Add(row.theirs)))
			defer b.standsBy()()
			passes(10 * time.Minute)
			b.hasTold(row.want...)
			if held, err := b.store.Held("prod"); len(held) > 0 || err != nil {
				t.Errorf("%v is still held (%v)", held, err)
			}
		})
	}
}

// The same of the watcher that polls: what is older than what was told does not follow it.
func TestWhatIsHeldOfAJobThatIsGoneMayBeOlderThanWhatWasTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, other := newBench(t, nil), event.NewMinter(nil)
		b.script.is(1, state("Running"))
		at := time.Now().Add(-time.Hour)
		b.holds(71, at)
		b.drain()
		b.script.forgets(71)
		seen := job.Observation{Snapshot: job.Snapshot{CommCell: "prod", Number: 71, State: "Completed"}, Answered: time.Now()}
		seen.Snapshot.LastUpdateTime = new(at.Add(time.Minute))
		seen.Snapshot.Settle()
		e, err := other.Job(3, job.Change{Kind: job.KindState, Detail: "completed", From: "Pending", To: "Completed"}, seen, at)
		if err == nil {
			err = b.store.Adopt(seen.ID(), fold(t, e))
		}
		if err != nil {
			t.Fatal(err)
		}
		for range 5 {
			passes(30 * time.Second)
			b.tells()
		}
		if why, err := b.store.WhyTracked(seen.ID()); why != "" || err != nil {
			t.Errorf("still polled: %q (%v)", why, err)
		}
	})
}

// What is held of the CommCell itself gives way to what the other has told, whatever the CommServe does.
func TestWhoStandsBySaysNothingOfWhetherTheCommCellAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.script.is(71, state("Running"))
		b.script.isDown(errAway)
		b.cycle() // "unreachable" is held
		b.script.requests()
		id := job.ID{CommCell: "prod"}
		defer b.standsBy()()
		e, err := event.NewMinter(nil).CommCell(1, job.Change{Kind: job.KindCommCell, Detail: job.DetailUnreachable}, id, time.Now(), "")
		if err == nil {
			err = b.store.StandBy(id, fold(t, e))
		}
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		b.script.isDown(nil)
		passes(time.Hour)
		b.hasTold()
		known, err := b.store.Recall(id)
		if err != nil || known.RefreshPending || !known.Told.Unreachable || b.store.Unsent() > 0 {
			t.Errorf("refresh pending %v, unreachable %v, %d unsent (%v)", known.RefreshPending, known.Told.Unreachable, b.store.Unsent(), err)
		}
		if asked := b.script.requests(); len(asked) > 0 {
			t.Errorf("asked %v", asked)
		}
	})
}

// The file of who stands by does not grow for ever, and what ended a moment ago gets its final poll by who takes over.
func TestWhoStandsByForgetsFinishedJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, other := newBench(t, func(c *Config) { c.KeepFinished = 24 * time.Hour }), event.NewMinter(nil)
		defer b.standsBy()()
		b.isToldBy(other, 71, 1, "", "Completed")
		b.isToldBy(other, 72, 1, "", "Running")
		passes(time.Minute)
		b.isTracked(71, store.FinalPoll)
		passes(20 * time.Minute)
		b.isTracked(71, "")
		b.isToldBy(other, 73, 1, "", "Completed")
		passes(23 * time.Hour)
		b.keeps(71, true)
		passes(3 * time.Hour)
		b.keeps(71, false)
		b.keeps(72, true)
		b.keeps(73, false)
		b.isTracked(72, store.Refresh)
		b.isTracked(73, "")
		if asked := b.script.requests(); len(asked) > 0 {
			t.Errorf("asked %v", asked)
		}
	})
}

// Who begins to poll a CommCell that nobody here stood by for asks for what ended of late, and for what it has seen end
// itself.
func TestWhoBeginsToPollAsksForNothingThatEndedLongAgo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, other := newBench(t, nil), event.NewMinter(nil)
		b.script.is(73, state("Running"))
		b.cycle()
		b.script.is(73, state("Completed"), ended(time.Now()))
		b.cycle()
		b.take()
		b.script.requests()
		b.isToldBy(other, 71, 1, "", "Completed")
		passes(2 * time.Hour)
		b.isToldBy(other, 72, 1, "", "Completed")
		for number := int64(71); number <= 73; number++ {
			b.script.is(number, state("Completed"), ended(time.Now()))
		}
		ctx, cancel := context.WithCancel(t.Context())
		ran := make(chan error)
		go func() { ran <- b.Run(ctx) }()
		passes(time.Hour)
		cancel()
		<-ran
		asked := b.script.requests()
		slices.Sort(asked)
		if got := slices.Compact(asked); !slices.Equal(got, []int64{0, 72, 73}) {
			t.Errorf("asked for %v", got)
		}
	})
}
