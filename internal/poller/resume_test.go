package poller

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
)

func counted(files, folders int64) func(*job.Snapshot) {
	return func(s *job.Snapshot) { s.Failures = job.Text(fmt.Sprintf("%d Folders, %d Files", folders, files)) }
}

// runs has jobs 1 to n run, polled and told, with counts as a CommServe's lines have them.
func (b *bench) runs(n int64) {
	for number := int64(1); number <= n; number++ {
		b.script.is(number, state("Running"), phase("Scan"), counted(0, 0))
	}
	b.cycle()
	b.take()
	b.script.requests()
}

func listSweep(c *Config) { c.Sweep = SweepList }

// A start asks only for the jobs whose line differs from what was told, and for those that no list names; the others have
// their full refresh when they would have had it.
func TestAStartAsksForWhatHasChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, listSweep)
		b.runs(40)
		time.Sleep(30 * time.Second)
		b.restart()
		first := b.firstAsks()
		if len(first) > 5 || first[0] != 0 {
			t.Errorf("the first cycle asks for %v though nothing has changed", first)
		}
		asked := map[int64]bool{}
		for end := time.Now().Add(defaultFullRefresh - 30*time.Second); time.Now().Before(end); time.Sleep(30 * time.Second) {
			for _, number := range first {
				asked[number] = true
			}
			b.cycle()
			first = b.script.requests()
		}
		for number := int64(1); number <= 40; number++ {
			if !asked[number] {
				t.Errorf("%d had no full refresh", number)
			}
		}
		b.hasTold()
	})
}

// firstAsks gives what a cycle asks for.
func (b *bench) firstAsks() []int64 {
	b.t.Helper()
	b.cycle()
	asked := b.script.requests()
	slices.Sort(asked)
	return asked
}

// Whatever the line shows that was not told is asked for in the first cycle, as is whatever it does not show.
func TestAStartAsksForWhatLinesShow(t *testing.T) {
	running := []func(*job.Snapshot){state("Running"), phase("Scan"), counted(0, 0)}
	for name, row := range map[string]struct {
		before, after []func(*job.Snapshot)
		listed        job.Text
		meanwhile     func(*bench)
		tells         []string
	}{
		"another state":      {after: []func(*job.Snapshot){state("Pending"), phase("Scan"), counted(0, 0)}, tells: []string{"prod/71 state: Running → Pending"}},
		"an end":             {after: []func(*job.Snapshot){state("Completed"), counted(0, 0)}, tells: []string{"prod/71 state: Running → Completed"}},
		"another phase":      {after: []func(*job.Snapshot){state("Running"), phase("Backup"), counted(0, 0)}, tells: []string{"prod/71 phase: Scan → Backup"}},
		"no phase":           {after: []func(*job.Snapshot){state("Running"), counted(0, 0)}},
		"failed files":       {after: []func(*job.Snapshot){state("Running"), phase("Scan"), counted(3, 0)}, tells: []string{"prod/71 failure:  → 0 Folders, 3 Files"}},
		"failed folders":     {after: []func(*job.Snapshot){state("Running"), phase("Scan"), counted(0, 2)}, tells: []string{"prod/71 failure:  → 2 Folders, 0 Files"}},
		"no counts":          {after: []func(*job.Snapshot){state("Running"), phase("Scan")}},
		"a reason":           {after: append(slices.Clone(running), waits("no media", "")), tells: []string{"prod/71 failure:  → no media"}},
		"another reason":     {before: append(slices.Clone(running), waits("no media", "")), after: append(slices.Clone(running), waits("no drive", "")), tells: []string{"prod/71 failure: no media → no drive"}},
		"a reason no longer": {before: append(slices.Clone(running), waits("no media", "")), after: running},
		"no status":          {after: running, listed: stateless},
		"no line":            {after: running, listed: unlisted},
		"a later start":      {after: append(slices.Clone(running), started(time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC))), tells: []string{"prod/71 state:  → Running", "prod/71 phase:  → Scan"}},
		"a long time":        {after: running, meanwhile: func(*bench) { time.Sleep(defaultFullRefresh) }},
		"no list noted":      {after: running, meanwhile: func(b *bench) { b.mustStore(b.store.SetLastList("prod", time.Time{})) }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, listSweep)
				before := row.before
				if before == nil {
					before = running
				}
				b.script.is(71, before...)
				b.cycle()
				b.drain()
				time.Sleep(time.Second)
				b.script.is(71, row.after...)
				b.script.listed[71] = row.listed
				if row.meanwhile != nil {
					row.meanwhile(b)
				}
				b.restart()
				b.script.requests()
				b.tells(row.tells...)
				if asked := b.script.requests(); !slices.Contains(asked, 71) {
					t.Errorf("asked for %v alone", asked)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) { // that none of these is asked for anyway
		b := newBench(t, listSweep)
		b.script.is(71, append(slices.Clone(running), waits("drive 3 of 4 is busy", ""))...)
		b.cycle()
		b.drain()
		time.Sleep(time.Second)
		b.script.is(71, append(slices.Clone(running), waits("drive 4 of 4 is busy", ""))...)
		b.restart()
		b.script.requests()
		b.tells()
		if asked := b.script.requests(); slices.Contains(asked, 71) {
			t.Error("asked for a job whose line says what was told")
		}
	})
}

// What was seen before the start and not told yet is asked for again, and what was told of it alone is not taken for all.
func TestAStartAsksForWhatIsLeftToTell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, listSweep)
		again := func(s *job.Snapshot) {
			s.Attempt, s.Machines = new(int64(2)), []job.VM{{Name: "vm1", Reason: "no space"}}
		}
		b.script.is(71, state("Running"), phase("Scan"), counted(0, 0), again)
		b.tells("prod/71 state:  → Running", "prod/71 phase:  → Scan", "prod/71 watch:  → 2") // the machines are told at the next poll
		time.Sleep(time.Second)
		b.restart()
		b.tells("prod/71 failure:  → no space")
	})
}

// A first list that could not be read leaves the comparing to the next.
func TestAStartWhoseFirstListFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, listSweep)
		b.runs(9)
		b.restart()
		b.script.broken[0] = errAway
		b.cycle()
		delete(b.script.broken, 0)
		b.script.requests()
		b.script.is(5, state("Pending"), phase("Scan"), counted(0, 0))
		time.Sleep(time.Second)
		b.tells("prod/5 state: Running → Pending")
	})
}

// Another watcher has told that a job failed, and died before it told the failure: who takes over tells it, also where the
// list says what was told, or the CommServe knows the job no more.
func TestAFailureThatIsOwedIsToldByWhoTakesOver(t *testing.T) {
	for name, then := range map[string]func(*bench){
		"it is still there": func(*bench) {},
		"it is gone":        func(b *bench) { b.script.forgets(71) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, other := newBench(t, listSweep), event.NewMinter(nil)
				b.runs(1)
				b.script.is(71, state("Running"), phase("Scan"), counted(0, 0))
				b.cycle()
				b.drain()
				stop := b.standsBy()
				b.script.is(71, state("Failed"), counted(0, 0))
				b.isToldBy(other, 71, 3, "Running", "Failed")
				then(b)
				passes(3 * time.Hour)
				b.hasTold()
				stop()
				for range 4 {
					b.cycle()
					passes(30 * time.Second)
				}
				b.hasTold("prod/71 failure: Running → Failed")
			})
		})
	}
}
