package poller

import (
	"testing"
	"testing/synctest"
	"time"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
)

func unsaid(s *job.Snapshot) { s.PercentComplete = nil }

// stallBench has a job that has just been told, at 40 percent.
func stallBench(t *testing.T, words job.Text) *bench {
	b := newBench(t, func(c *Config) { c.StallAfter = 30 * time.Minute })
	b.script.is(71, state(words), percent(40))
	b.cycle()
	b.drain()
	return b
}

func (b *bench) restart() { b.Poller = New(b.Config) }

func TestStalled(t *testing.T) {
	running := state("Running")
	for name, test := range map[string]func(*bench){
		"after the time, once, until it moves": func(b *bench) {
			b.wants("still", b.cycleEvery(10*time.Minute, 6), "- - prod/71 stalled - - -")
			b.script.is(71, running, percent(41))
			b.wants("moves", b.cycleEvery(10*time.Minute, 5), "prod/71 resumed - - prod/71 stalled -")
		},
		"not while bytes are written": func(b *bench) {
			for n := range int64(8) {
				b.script.is(71, running, percent(40), bytesWritten(n))
				b.wants("writes", b.cycleEvery(10*time.Minute, 1), "-")
			}
		},
		"though it works": func(b *bench) {
			b.script.is(71, running, percent(40), elapsed(9))
			b.wants("elapses", b.cycleEvery(10*time.Minute, 2), "- -")
			b.script.is(71, running, percent(40), elapsed(10))
			b.wants("elapses", b.cycleEvery(10*time.Minute, 1), "prod/71 stalled")
		},
		"though the percentage is not said now and then": func(b *bench) {
			b.script.is(71, running, unsaid)
			b.wants("unsaid", b.cycleEvery(10*time.Minute, 1), "-")
			b.script.is(71, running, percent(40))
			b.wants("said", b.cycleEvery(10*time.Minute, 2), "- prod/71 stalled")
			b.script.is(71, running, unsaid)
			b.wants("unsaid", b.cycleEvery(10*time.Minute, 2), "- -")
		},
		"though nothing is said of progress at all": func(b *bench) {
			b.script.is(72, running)
			b.cycle()
			b.drain()
			b.wants("silent", b.cycleEvery(10*time.Minute, 3), "- - prod/71 stalled + prod/72 stalled")
		},
		"counts from the state": func(b *bench) {
			b.script.is(71, state("Pending"), percent(40))
			b.wants("pending", b.cycleEvery(10*time.Minute, 5), "prod/71 state: Running → Pending - - - -")
			b.script.is(71, running, percent(40))
			b.wants("runs", b.cycleEvery(10*time.Minute, 4), "prod/71 state: Pending → Running - - prod/71 stalled")
			b.script.is(71, state("Suspended"), percent(41))
			b.wants("suspended", b.cycleEvery(10*time.Minute, 1), "prod/71 state: Running → Suspended")
			b.script.is(71, running, percent(42))
			b.wants("runs", b.cycleEvery(10*time.Minute, 4), "prod/71 state: Suspended → Running - - prod/71 stalled")
			b.script.is(71, state("Completed"), percent(100))
			b.wants("ends", b.cycleEvery(10*time.Minute, 1), "prod/71 state: Running → Completed")
		},
		"by a phase": func(b *bench) {
			b.wants("still", b.cycleEvery(10*time.Minute, 3), "- - prod/71 stalled")
			b.script.is(71, running, percent(40), phase("Backup"))
			b.wants("moves", b.cycleEvery(10*time.Minute, 1), "prod/71 phase:  → Backup + prod/71 resumed")
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(stallBench(t, "Running")) })
		})
	}
}

func TestWhatWaitsDoesNotStall(t *testing.T) {
	for _, words := range []job.Text{"Pending", "Waiting", "Suspended", "Queued", "Completed", "Wird gesichert", ""} {
		synctest.Test(t, func(t *testing.T) {
			b := stallBench(t, words)
			b.wants(string(words), b.cycleEvery(10*time.Minute, 5), "- - - - -")
		})
	}
}

func TestStalledOverRestarts(t *testing.T) {
	for name, test := range map[string]func(*bench){
		"counts on from what was kept": func(b *bench) {
			b.cycleEvery(10*time.Minute, 2)
			b.restart()
			b.wants("still", b.cycleEvery(10*time.Minute, 2), "prod/71 stalled -")
		},
		"keeps progress at half time": func(b *bench) {
			b.script.is(71, state("Running"), percent(50))
			b.wants("moves", b.cycleEvery(5*time.Minute, 4), "- - - -") // 15 minutes without
			b.restart()
			b.wants("still", b.cycleEvery(5*time.Minute, 3), "- - prod/71 stalled")
		},
		"forgets less than half of the time": func(b *bench) {
			b.script.is(71, state("Running"), percent(50))
			b.cycleEvery(5*time.Minute, 3) // 10 minutes without
			b.restart()
			b.wants("still", b.cycleEvery(5*time.Minute, 7), "- - - - - - prod/71 stalled")
		},
		"tells once, and that it moves": func(b *bench) {
			b.wants("still", b.cycleEvery(10*time.Minute, 3), "- - prod/71 stalled")
			b.restart()
			b.wants("still", b.cycleEvery(10*time.Minute, 4), "- - - -")
			b.restart()
			b.script.is(71, state("Running"), percent(41))
			b.wants("moves", b.cycleEvery(10*time.Minute, 2), "prod/71 resumed -")
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(stallBench(t, "Running")) })
		})
	}
}

// The way to a stall is one write, the stall another.
func TestStallWritesTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := stallBench(t, "Running")
		b.Discover = false // the note of a list that was read is another matter
		b.cycle()
		b.script.is(71, state("Running"), percent(41))
		b.writes = 0
		for range 32 {
			time.Sleep(time.Minute)
			b.cycle()
		}
		if b.writes != 2 {
			t.Errorf("%d transactions, want 2", b.writes)
		}
	})
}

// foreignEvents has a foreign writer tell changes of a job, the first of them its state, behind what b has told.
func foreignEvents(t *testing.T, b *bench, words job.Text, edit func(*job.Snapshot), more ...job.Change) {
	seen := job.Observation{Snapshot: job.Snapshot{CommCell: "prod", Number: 71, State: words}, Answered: time.Now()}
	edit(&seen.Snapshot)
	seen.Snapshot.Settle()
	var events []event.Event
	mint := event.NewMinter(nil)
	for i, c := range append([]job.Change{{Kind: job.KindState, To: words}}, more...) {
		e, err := mint.Job(uint64(i+1), c, seen, seen.Answered)
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	if err := b.store.Adopt(seen.ID(), fold(t, events...)); err != nil {
		t.Fatal(err)
	}
}

func TestStalledByAForeignWriter(t *testing.T) {
	running, stalled := state("Running"), job.Change{Kind: job.KindWatch, Detail: job.DetailStalled}
	for name, test := range map[string]func(*testing.T){
		"and no further": func(t *testing.T) {
			b := newBench(t, func(c *Config) { c.StallAfter = 30 * time.Minute })
			foreignEvents(t, b, "Running", percent(40), stalled)
			b.script.is(71, running, percent(40))
			b.wants("adopted", b.cycleEvery(10*time.Minute, 4), "- - - -")
		},
		"and further": func(t *testing.T) {
			b := newBench(t, func(c *Config) { c.StallAfter = 30 * time.Minute })
			foreignEvents(t, b, "Running", percent(40), stalled)
			b.script.is(71, running, percent(41))
			b.wants("adopted", b.cycleEvery(10*time.Minute, 4), "prod/71 resumed - - prod/71 stalled")
		},
		"further than this one saw": func(t *testing.T) {
			b := stallBench(t, "Running")
			foreignEvents(t, b, "Running", percent(50), stalled)
			b.restart()
			b.script.is(71, running, percent(50))
			b.wants("adopted", b.cycleEvery(10*time.Minute, 4), "- - - -")
			b.script.is(71, running, percent(51))
			b.wants("moves", b.cycleEvery(10*time.Minute, 1), "prod/71 resumed")
		},
		"who told of its start": func(t *testing.T) {
			b := stallBench(t, "Pending")
			b.cycleEvery(10*time.Minute, 5)
			foreignEvents(t, b, "Running", percent(40))
			b.script.is(71, running, percent(40))
			b.wants("runs", b.cycleEvery(10*time.Minute, 4), "- - prod/71 stalled -")
		},
	} {
		t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
	}
}
