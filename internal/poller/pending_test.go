package poller

import (
	"testing"
	"testing/synctest"
	"time"

	"jobwatch/internal/commvault"
	"jobwatch/internal/event"
	"jobwatch/internal/job"
	"jobwatch/internal/store"
)

// pendingBench holds "Running → <held>" of job 71, of which another has told "Running → Suspended", and the CommServe
// knows none of 71 to 73, nor lists anything.
func pendingBench(t *testing.T, held ...func(*job.Snapshot)) (*bench, *event.Minter) {
	b, other := newBench(t, func(c *Config) { c.LostAfter = time.Minute }), event.NewMinter(nil)
	b.script.is(71, state("Running"))
	b.script.is(72, state("Running"))
	b.script.is(73, state("Running"))
	b.cycle()
	b.drain()
	b.script.is(71, held...)
	b.cycle()
	b.adopts(other, 71, 2, "Running", "Suspended")
	b.script.forgets(71, 72, 73)
	return b, other
}

// What waits for an answer about a job does not wait for ever, where the CommServe shows no job at all.
func TestWhatIsHeldOfAJobIsToldThoughNoJobIsKnown(t *testing.T) {
	const toldAtThird = "- - prod/71 state: Suspended → Pending"
	for _, row := range []struct {
		what string
		then func(*bench, *event.Minter)
		want string
	}{
		{"for ever", func(*bench, *event.Minter) {}, toldAtThird + " - - -"},
		{"but one is, later: three misses, of that time alone, say that it is lost", func(b *bench, _ *event.Minter) {
			b.wants("before", b.cycleEvery(30*time.Second, 4), toldAtThird+" -")
			b.script.is(1, state("Running"))
			b.cycle()
			b.hasTold("prod/1 state:  → Running")
		}, "- prod/71 lost + prod/72 lost + prod/73 lost - - - -"},
		{"but one is, before: these misses are no part of those", func(b *bench, _ *event.Minter) {
			b.wants("before", b.cycleEvery(30*time.Second, 2), "- -")
			b.script.is(1, state("Running"))
		}, "prod/1 state:  → Running + prod/71 state: Suspended → Pending - prod/71 lost + prod/72 lost + prod/73 lost - - -"},
		{"but it is there again", func(b *bench, _ *event.Minter) {
			b.wants("before", b.cycleEvery(30*time.Second, 4), toldAtThird+" -")
			b.script.is(71, state("Waiting"))
		}, "prod/71 state: Pending → Waiting - prod/72 lost + prod/73 lost - - -"},
		{"but an old answer shows it", func(b *bench, _ *event.Minter) {
			b.wants("before", b.cycleEvery(30*time.Second, 2), "- -")
			b.script.is(71, state("Running"), updated(time.Now().Add(-time.Hour)))
			b.wants("old", b.cycleEvery(30*time.Second, 1), "-")
			b.script.forgets(71)
		}, "- - prod/71 state: Suspended → Pending - - -"},
		{"but the other sees it", func(b *bench, other *event.Minter) {
			b.wants("before", b.cycleEvery(30*time.Second, 2), "- -")
			b.adopts(other, 71, 3, "Suspended", "Waiting")
		}, "- - prod/71 state: Waiting → Pending - - -"},
		{"but one is, and the watcher starts anew each time", func(b *bench, _ *event.Minter) {
			b.LostAfter = time.Hour
			b.script.is(1, state("Running"))
			b.wants("first", b.cycleEvery(30*time.Second, 1), "prod/1 state:  → Running")
			b.Poller = New(b.Config)
			b.wants("second", b.cycleEvery(30*time.Second, 1), "-")
			b.Poller = New(b.Config)
		}, "prod/71 state: Suspended → Pending - - - - -"},
		{"and the watcher starts anew", func(b *bench, _ *event.Minter) {
			b.wants("before", b.cycleEvery(30*time.Second, 2), "- -")
			b.Poller = New(b.Config)
		}, toldAtThird + " - - -"},
	} {
		t.Run(row.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, other := pendingBench(t, state("Pending"), updated(time.Now()))
				row.then(b, other)
				b.wants("then", b.cycleEvery(30*time.Second, 6), row.want)
				if n := b.store.Unsent(); n > 0 {
					t.Errorf("%d events are held", n)
				}
			})
		})
	}
}

// Where the list names a job whose details are not known, it is the same.
func TestWhatIsHeldOfAJobIsToldThoughTheListNamesIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := pendingBench(t, state("Pending"))
		b.script.is(71, state("Running"))
		b.script.broken[71] = &commvault.Error{Kind: commvault.UnknownJob, Err: commvault.ErrUnknownJob}
		b.script.is(72, state("Running")) // and is known
		b.wants("listed", b.cycleEvery(30*time.Second, 6), "- - prod/71 state: Suspended → Pending + prod/73 lost - - -")
		delete(b.script.broken, 71)
		b.wants("known", b.cycleEvery(30*time.Second, 2), "prod/71 state: Pending → Running -")
	})
}

// It is no answer: a job that is polled for nothing but the foreign event is polled until there is one.
func TestWhatIsToldFromWhatIsHeldIsNoAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, other := newBench(t, nil), event.NewMinter(nil)
		b.adopts(other, 71, 1, "", "Running")
		b.adopts(other, 72, 1, "", "Running")
		b.wants("unknown", b.cycleEvery(30*time.Second, 4), "- - - -")
		b.isTracked(71, store.Refresh)
		b.script.is(71, state("Pending"))
		b.script.listed[71] = unlisted
		b.wants("known", b.cycleEvery(30*time.Second, 2), "prod/71 state: Running → Pending -")
	})
}

// An end that is told without an answer is no final poll: that follows when the CommServe knows jobs again, but of a job
// that is polled for nothing but the foreign event.
func TestAnEndToldFromWhatIsHeld(t *testing.T) {
	other := event.NewMinter(nil)
	failures := func(s *job.Snapshot) { s.Failures = "0 Folders, 3 Files" }
	attempt := func(n int64) func(*job.Snapshot) { return func(s *job.Snapshot) { s.Attempt = &n } }
	for _, row := range []struct {
		what         string
		configured   []int64
		before       func(*bench)
		told         string
		tracked      store.Why
		late         string // told once it is known again
		trackedAfter store.Why
	}{
		{"ours, and its final poll was to come", nil, func(b *bench) {
			b.script.is(71, state("Failed"))
			b.cycle()
			b.adopts(other, 71, 2, "Running", "Suspended")
		}, "prod/71 failure: Suspended → Failed + prod/71 state: Suspended → Failed", store.FinalPoll, "prod/71 failure:  → 0 Folders, 3 Files", ""},
		{"theirs, of a job that is followed", nil, func(b *bench) {
			b.adopts(other, 71, 2, "Running", "Failed")
		}, "prod/71 failure: Running → Failed", store.FinalPoll, "prod/71 failure:  → 0 Folders, 3 Files", ""},
		{"ours, of a new attempt, of which there is more to tell", nil, func(b *bench) {
			b.script.is(71, state("Failed"), attempt(2), failures)
			b.cycle()
			b.adopts(other, 71, 2, "Running", "Suspended", attempt(1))
		}, "prod/71 failure: Suspended → Failed + prod/71 state: Suspended → Failed + prod/71 watch: 1 → 2", store.Discovered, "prod/71 failure:  → 0 Folders, 3 Files", store.FinalPoll},
		{"theirs, of a configured job", []int64{71}, func(b *bench) {
			b.adopts(other, 71, 2, "Running", "Failed")
		}, "prod/71 failure: Running → Failed", store.Configured, "prod/71 failure:  → 0 Folders, 3 Files", store.Configured},
		{"theirs, of a job that was polled no more", nil, func(b *bench) {
			b.script.is(71, state("Completed"), ended(time.Now()))
			b.cycle()
			b.drain()
			b.cycleEvery(10*time.Minute, 1) // the final poll
			b.isTracked(71, "")
			b.adopts(other, 71, 3, "Completed", "Failed", ended(time.Now()))
			b.isTracked(71, store.Refresh)
		}, "prod/71 failure: Completed → Failed", "", "-", ""},
	} {
		t.Run(row.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, func(c *Config) { c.LostAfter, c.Jobs = time.Minute, row.configured })
				for number := int64(71); number <= 73; number++ {
					b.script.is(number, state("Running"))
				}
				b.cycle()
				b.drain()
				row.before(b)
				b.script.forgets(71, 72, 73)
				b.wants("unknown", b.cycleEvery(30*time.Second, 8), "- - "+row.told+" - - - - -")
				b.isTracked(71, row.tracked)
				time.Sleep(finalPollAfter)
				b.script.is(71, state("Failed"), failures, ended(time.Now()))
				b.wants("known", b.cycleEvery(0, 1), row.late)
				b.isTracked(71, row.trackedAfter)
			})
		})
	}
}

// Of the misses while another watcher polled the CommCell, nobody has asked whether other jobs were known.
func TestMissesOfWhoStandsByMakeNoJobLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, other := newBench(t, func(c *Config) { c.LostAfter = time.Minute }), event.NewMinter(nil)
		at := time.Now().Add(-time.Hour)
		b.holds(71, at)
		b.script.forgets(71)
		b.isToldBy(other, 71, 2, "Running", "Suspended", updated(at.Add(-time.Minute)))
		stop := b.standsBy()
		passes(10 * time.Minute)
		stop()
		b.hasTold("prod/71 state: Suspended → Pending")
		b.script.is(1, state("Running"))
		b.wants("polls", b.cycleEvery(30*time.Second, 4), "prod/1 state:  → Running - prod/71 lost -")
	})
}

// What is held may be of a job that has got the number of another, of which alone was told.
func TestWhatIsHeldOfALaterJobWithTheSameNumber(t *testing.T) {
	now := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // synctest's own
	for _, row := range []struct {
		what         string
		ours, theirs []func(*job.Snapshot)
		told         job.Text
		want         string
	}{
		{"ours began later", []func(*job.Snapshot){started(now.Add(-time.Hour)), ended(now)}, []func(*job.Snapshot){started(now.Add(-3 * time.Hour)), ended(now.Add(-2 * time.Hour))}, "Completed", "prod/71 state:  → Completed"},
		{"the same job", []func(*job.Snapshot){started(now.Add(-time.Hour)), ended(now)}, []func(*job.Snapshot){started(now.Add(-time.Hour)), ended(now)}, "Completed", "-"},
		{"theirs alone, without a time of its own", nil, []func(*job.Snapshot){started(now.Add(-time.Second))}, "Pending", "-"},
	} {
		t.Run(row.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, other := newBench(t, nil), event.NewMinter(nil)
				b.script.is(1, state("Running"))
				b.cycle()
				if row.ours != nil {
					b.script.is(71, append(row.ours, state("Completed"))...)
					b.cycle()
				}
				b.adopts(other, 71, 2, "Running", row.told, row.theirs...)
				b.script.forgets(71)
				b.wants("gone", b.cycleEvery(30*time.Second, 4), "prod/1 state:  → Running - "+row.want+" -")
			})
		})
	}
}
