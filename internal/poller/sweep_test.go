package poller

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"jobwatch/internal/commvault"
	"jobwatch/internal/event"
	"jobwatch/internal/job"
	"jobwatch/internal/sim"
	"jobwatch/internal/testing/slow"
)

// within plays an http.Handler without a network, for fake time.
type within struct{ http.Handler }

func (w within) RoundTrip(r *http.Request) (*http.Response, error) {
	answer := httptest.NewRecorder()
	w.ServeHTTP(answer, r)
	return answer.Result(), nil
}

func clientOf(t *testing.T, h http.Handler) *commvault.Client {
	client, err := commvault.New(commvault.Config{
		CommCell: "prod", URL: "http://cs/webconsole/api", Token: "QSDK sim", Transport: within{h},
	})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// told is an event, as far as two sweeps are compared.
type told struct {
	job              string
	kind, detail, vm string
	from, to         job.Text
	at               time.Time
}

func tellings(t *testing.T, events []event.Event) []told {
	var all []told
	for _, e := range events {
		data, err := e.Job()
		if err != nil {
			t.Fatal(err)
		}
		c := data.Change
		all = append(all, told{job: e.PartitionKey, kind: c.Kind, detail: c.Detail, vm: c.VM, from: c.From, to: c.To, at: e.Time})
	}
	return all
}

// prompt says whether a list sweep has to tell it as soon as a details sweep: states, phases and ends.
func (e told) prompt() bool {
	return e.kind == job.KindState || e.kind == job.KindPhase || e.kind == job.KindFailure && e.detail == job.DetailState
}

func prompts(all []told, prompt bool) []told {
	return slices.DeleteFunc(slices.Clone(all), func(e told) bool { return e.prompt() != prompt })
}

const (
	cyclesEvery  = 5 * time.Second
	fullRefresh  = time.Minute
	simulatedFor = 10 * time.Minute
)

// TestListSweepTellsWhatADetailsSweepDoes has one script of jobs swept both ways, and the two streams compared: states,
// phases and ends in the same cycles, the rest by full_refresh later.
func TestListSweepTellsWhatADetailsSweepDoes(t *testing.T) {
	slow.Test(t, "10 s", "two worlds are polled for hours of simulated time, and their streams compared")
	for _, seed := range []int64{1, 2} {
		synctest.Test(t, func(t *testing.T) {
			play := sim.New(sim.Config{Seed: seed, Jobs: 80, Arrivals: 0.5, Speed: 0.3, NoRecord: true})
			sweeping := func(s Sweep) *bench {
				return newBench(t, func(c *Config) { c.Source, c.Sweep, c.FullRefresh = clientOf(t, play), s, fullRefresh })
			}
			details, list := sweeping(SweepDetails), sweeping(SweepList)
			var want, got []told
			var asked [2]int
			for start := time.Now(); time.Since(start) < simulatedFor; time.Sleep(cyclesEvery) {
				for i, b := range []*bench{details, list} {
					before := play.Counts()[sim.OpJobDetails]
					b.cycle()
					asked[i] += play.Counts()[sim.OpJobDetails] - before
				}
				atOnce, byList := tellings(t, details.take()), tellings(t, list.take())
				if w, g := prompts(atOnce, true), prompts(byList, true); !slices.Equal(w, g) {
					t.Fatalf("seed %d, after %v:\n details told %v\n    list told %v", seed, time.Since(start), w, g)
				}
				want, got = append(want, atOnce...), append(got, byList...)
			}
			if len(want) < 300 || asked[1] > asked[0]/3 {
				t.Errorf("seed %d: %d events; %d details asked for, and %d by the list", seed, len(want), asked[0], asked[1])
			}
			lateBy(t, prompts(want, false), prompts(got, false))
		})
	}
}

// lateBy wants each event of a details sweep among those of the list sweep, or a newer one of the same that has
// overtaken it, by fullRefresh; and none in it that the details sweep does not know.
func lateBy(t *testing.T, want, got []told) {
	t.Helper()
	if len(want) == 0 {
		t.Fatal("nothing to compare")
	}
	for _, w := range want {
		if !slices.ContainsFunc(got, func(g told) bool { return g.same(w) && !g.at.Before(w.at) && g.at.Sub(w.at) <= fullRefresh }) &&
			time.Since(w.at) > fullRefresh {
			t.Errorf("%v is not told by the list sweep within %v", w, fullRefresh)
		}
	}
	for _, g := range got {
		if !slices.ContainsFunc(want, func(w told) bool { return w.same(g) && w.to == g.to && !w.at.After(g.at) }) {
			t.Errorf("%v is told by the list sweep alone", g)
		}
	}
}

func (e told) same(as told) bool {
	return e.job == as.job && e.kind == as.kind && e.detail == as.detail && e.vm == as.vm
}

// swept is a list sweep of some running jobs, each of which was polled.
func sweepBench(t *testing.T, jobs int64, edit func(*Config)) *bench {
	b := newBench(t, func(c *Config) {
		c.Sweep = SweepList
		if edit != nil {
			edit(c)
		}
	})
	for number := int64(1); number <= jobs; number++ {
		b.script.is(number, state("Running"), phase("Scan"))
	}
	b.cycle()
	b.take()
	b.script.requests()
	return b
}

// asksFor polls, and wants these jobs asked for; 0 is the list.
func (b *bench) asksFor(want ...int64) {
	b.t.Helper()
	b.cycle()
	got := b.script.requests()
	slices.Sort(got)
	if !slices.Equal(got, want) {
		b.t.Errorf("asked for %v, want %v", got, want)
	}
}

func failed(files int64) func(*job.Snapshot) {
	return func(s *job.Snapshot) { s.FailedFiles = &files }
}

func waits(reason, code job.Text) func(*job.Snapshot) {
	return func(s *job.Snapshot) { s.Reason, s.ReasonCode = reason, code }
}

func started(at time.Time) func(*job.Snapshot) { return func(s *job.Snapshot) { s.StartTime = &at } }

func TestOnlyWhoseLineHasChangedIsAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := sweepBench(t, 9, nil)
		b.asksFor(0)
		for _, row := range [][]func(*job.Snapshot){
			{state("Pending"), phase("Scan")},
			{state("Pending"), phase("Backup")},
			{state("Pending"), phase("Backup"), waits("no media in 3 drives", "")},
			{state("Pending"), phase("Backup"), waits("no media in 3 drives", "19:579")},
			{state("Pending"), phase("Backup"), waits("no drive", "19:579")},
			{state("Pending"), phase("Backup"), failed(3)},
			{state("Pending"), phase("Backup"), started(time.Now())},
			{state("Completed"), ended(time.Now())},
		} {
			b.script.is(5, row...)
			b.asksFor(0, 5)
			b.asksFor(0)
		}
		b.script.is(4, state("Running"), phase("Scan"), elapsed(77), waits("", ""))
		b.asksFor(0)
		b.script.is(4, state("Pending"), phase("Scan"), waits("no media in 3 drives", ""))
		b.asksFor(0, 4)
		b.script.is(4, state("Pending"), phase("Scan"), waits("no media in 4 drives", ""))
		b.asksFor(0)
	})
}

func TestAPollThatFailsIsDueAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := sweepBench(t, 9, nil)
		b.script.is(5, state("Pending"))
		b.script.broken[5] = &commvault.Error{Operation: "JobDetails", Kind: commvault.HTTP, Code: 404}
		b.asksFor(0, 5)
		b.asksFor(0, 5)
		delete(b.script.broken, 5)
		b.tells("prod/5 state: Running → Pending")
		b.script.requests()
		b.asksFor(0)
	})
}

// An older answer settles nothing: the job is polled again in the next cycle, though no line changes.
func TestAnOlderAnswerIsFollowedByAnotherPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		b := sweepBench(t, 9, nil)
		b.script.is(5, state("Running"), phase("Scan"), updated(now))
		b.mustStore(b.pollUnscheduled(t.Context(), job.ID{CommCell: "prod", Number: 5}))
		b.script.requests()
		b.asksFor(0)
		b.script.is(5, state("Running"), phase("Scan"), updated(now.Add(-time.Minute)))
		b.mustStore(b.pollUnscheduled(t.Context(), job.ID{CommCell: "prod", Number: 5}))
		b.script.requests()
		b.script.is(5, state("Running"), phase("Scan"), updated(now.Add(time.Minute)))
		b.asksFor(0, 5)
		b.asksFor(0)
	})
}

// A web server may hold details back that its list shows already. Words that differ for good end that.
func TestDetailsThatLagBehindTheListAreAskedForAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := sweepBench(t, 9, nil)
		b.script.listed[5] = "Suspended"
		b.asksFor(0, 5)
		b.asksFor(0, 5)
		b.script.is(5, state("Suspended"))
		b.asksFor(0, 5)
		b.hasTold("prod/5 state: Running → Suspended")
		b.asksFor(0)

		b.script.listed[5] = "Angehalten"
		for range pollsToAgree {
			b.asksFor(0, 5)
		}
		b.asksFor(0)
	})
}

// An end that the list names has no other words in the details: they lag, for however long.
func TestAnEndThatTheDetailsDoNotShowYetIsAskedForUntilTheyDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := sweepBench(t, 9, nil)
		b.script.listed[5] = "Completed"
		for range 2 * pollsToAgree {
			b.asksFor(0, 5)
		}
		b.script.is(5, state("Abgeschlossen"), ended(time.Now()))
		b.asksFor(0, 5)
		b.hasTold("prod/5 state: Running → Abgeschlossen")
		b.asksFor(0)
	})
}

// What no list names is asked for as if there were none, until its end.
func TestUnlistedJobsAreAskedForEachTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := sweepBench(t, 3, func(c *Config) { c.Jobs = []int64{3} })
		b.script.listed[3] = unlisted
		b.asksFor(0, 3)
		b.script.is(3, state("Completed"), ended(time.Now()))
		b.asksFor(0, 3)
		b.asksFor(0)
		delete(b.script.jobs, 2)
		for range 2 { // not known, not lost yet
			b.asksFor(0, 2)
		}
	})
}

// A line without a status does not say that nothing has changed; one of a job whose end is told opens nothing again.
func TestALineWithoutAStatusSaysNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := sweepBench(t, 9, nil)
		b.script.listed[5] = stateless
		for range 2 * pollsToAgree {
			b.asksFor(0, 5)
		}
		b.script.is(5, state("Pending"))
		b.tells("prod/5 state: Running → Pending")
		b.script.is(5, state("Completed")) // the list of this release tells no end
		b.tells("prod/5 state: Pending → Completed")
		b.script.requests()
		for range 3 {
			b.asksFor(0)
		}
	})
}

func TestRefreshesAreSpreadEvenly(t *testing.T) {
	slow.Test(t, "3 s", "a thousand jobs for fifty minutes of simulated time")
	synctest.Test(t, func(t *testing.T) {
		b := sweepBench(t, 1000, func(c *Config) { c.FullRefresh = 10 * time.Minute })
		last, longest := map[int64]time.Time{}, time.Duration(0)
		for number := int64(1); number <= 1000; number++ {
			last[number] = time.Now()
		}
		for range 100 {
			time.Sleep(29 * time.Second)
			b.cycle()
			asked := b.script.requests()
			if n := len(asked) - 1; n < 30 || n > 75 {
				t.Fatalf("%d refreshes in a cycle, want about 1000 in 19", n)
			}
			for _, number := range asked[1:] {
				longest = max(longest, time.Since(last[number]))
				last[number] = time.Now()
			}
		}
		if longest > 10*time.Minute {
			t.Errorf("a job was not polled for %v", longest)
		}
	})
}

func TestAutoSweepsByListFromFiftyJobsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := sweepBench(t, autoFrom, func(c *Config) { c.Sweep = SweepAuto })
		b.asksFor(0)
		few := sweepBench(t, autoFrom-1, func(c *Config) { c.Sweep = SweepAuto })
		few.cycle()
		if asked := few.script.requests(); len(asked) != autoFrom {
			t.Errorf("%d requests for %d jobs", len(asked), autoFrom-1)
		}
	})
}

// Who discovers nothing has a list swept for what is configured, and follows nothing else of it.
func TestConfiguredJobsAreSweptByListToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := sweepBench(t, 9, func(c *Config) { c.Discover, c.Jobs = false, []int64{1, 2} })
		b.script.is(2, state("Pending"))
		b.script.is(3, state("Pending"))
		b.tells("prod/2 state: Running → Pending")
		b.script.requests()
		b.asksFor(0)
	})
}

// What is tracked while the list is away is asked for job by job; and a failing list alone says nothing of the
// CommCell.
func TestAListThatCannotBeReadIsDoneWithout(t *testing.T) {
	for _, row := range []struct {
		err   error
		waits int // cycles that ask for one job only
	}{
		{&commvault.Error{Operation: "Jobs", Kind: commvault.Timeout}, failedListsTolerated - 1},
		{&commvault.Error{Operation: "Jobs", Kind: commvault.HTTP, Code: 404}, 0},
		{&commvault.Error{Operation: "Jobs", Kind: commvault.NotAnAnswer}, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := sweepBench(t, 9, nil)
			b.script.broken[0] = row.err
			for range row.waits {
				b.cycle()
				if asked := b.script.requests(); len(asked) != 2 {
					t.Errorf("%v: asked for %v, want one job beside the list", row.err, asked)
				}
			}
			b.script.is(5, state("Pending"))
			b.tells("prod/5 state: Running → Pending")
			b.script.requests()
			delete(b.script.broken, 0)
			b.asksFor(0, 5) // its line is another, too
			b.asksFor(0)
		})
	}
}

// A foreign event is followed by a poll in the next cycle, though no line has changed.
func TestARefreshPendingIsDoneInTheNextCycle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := sweepBench(t, 9, nil)
		snapshot := b.script.jobs[5]
		snapshot.State = "Suspended"
		snapshot.Settle()
		other := event.NewMinter(nil)
		e, err := other.Job(3, job.Change{Kind: job.KindState, Detail: "suspended", From: "Running", To: "Suspended"},
			job.Observation{Snapshot: snapshot, Asked: time.Now(), Answered: time.Now()}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if err := b.store.Adopt(snapshot.JobID(), fold(t, e)); err != nil {
			t.Fatal(err)
		}
		b.tells("prod/5 state: Suspended → Running")
		b.script.requests()
		b.asksFor(0)
	})
}

// An unscheduled poll may have been in flight while the list was read.
func TestALineThatChangesDuringAPollIsNotSettledByIt(t *testing.T) {
	var s cachedLine
	running := job.Snapshot{State: "Running"}
	s.read(&commvault.Line{Status: "Running"}, 1)
	began := s.changed
	s.read(&commvault.Line{Status: "Running", Reason: "no media"}, 2)
	if s.settle(began, &running); s.changed == 0 {
		t.Error("settled by an answer from before")
	}
	if s.settle(s.changed, &running); s.changed != 0 {
		t.Error("not settled")
	}
}

// A new attempt's counts are told by the poll after it, which no change of the line has to wait for.
func TestAPollThatLeavesSomethingIsFollowedByAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := sweepBench(t, 9, nil)
		second := int64(2)
		b.script.is(5, state("Pending"), phase("Scan"), func(s *job.Snapshot) { s.Attempt, s.Failures = &second, "0 Folders, 3 Files" })
		b.asksFor(0, 5)
		b.hasTold("prod/5 state: Running → Pending", "prod/5 watch:  → 2")
		b.asksFor(0, 5)
		b.hasTold("prod/5 failure:  → 0 Folders, 3 Files")
		b.asksFor(0)
	})
}

// What the probe of a CommCell that is back shows is told, though the job moves on before the sweep.
func TestAProbeIsAnObservation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Discover, c.Jobs = false, []int64{71} })
		b.script.is(71, state("Running"))
		b.tells("prod/71 state:  → Running")
		b.script.down = errAway
		b.tells("prod unreachable")
		b.script.down, b.script.takes = nil, time.Second
		b.script.is(71, state("Suspended"))
		time.AfterFunc(1500*time.Millisecond, func() { b.script.is(71, state("Killed")) })
		b.tells("prod reachable", "prod/71 state: Running → Suspended", "prod/71 state: Suspended → Killed", "prod/71 failure: Suspended → Killed")
	})
}
