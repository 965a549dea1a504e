package poller

import (
	"bytes"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jobwatch/internal/commvault"
	"jobwatch/internal/event"
	"jobwatch/internal/job"
	"jobwatch/internal/store/storetest"
)

func bytesWritten(n int64) func(*job.Snapshot) { return func(s *job.Snapshot) { s.DataWritten = &n } }

// forgets has the CommServe forget jobs, in details and in the list.
func (s *script) forgets(numbers ...int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, number := range numbers {
		delete(s.jobs, number)
	}
}

// What a list says of an end is no observation, and no silence: it is counted, named in the log, and told as lost when
// the list names the job no more.
func TestAnEndThatOnlyTheListNames(t *testing.T) {
	unknown := &commvault.Error{Operation: "JobDetails", Kind: commvault.UnknownJob, Err: commvault.ErrUnknownJob}
	for _, row := range []struct {
		name    string
		before  string // told
		is      []func(*job.Snapshot)
		listed  string // told while the list names it, at six polls
		dropped string // and then
		unseen  int64
	}{
		{"never seen", "-", nil, "- - - - - -", "- - prod/71 lost -", 1},
		{"seen running", "prod/71 state:  → Running", []func(*job.Snapshot){state("Running")}, "- - - - - -", "- - prod/71 lost -", 1},
		{"its end is told", "prod/71 state:  → Completed", []func(*job.Snapshot){state("Completed"), ended(time.Now())}, "- - - - - -", "- - - -", 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var said bytes.Buffer
				b := newBench(t, func(c *Config) {
					c.LostAfter, c.FinishedWithin, c.Log = time.Minute, time.Hour, slog.New(slog.NewTextHandler(&said, nil))
				})
				b.script.is(1, state("Running"))
				b.cycle()
				b.drain()
				if row.is != nil {
					b.script.is(71, row.is...)
				}
				b.wants("before", b.cycleEvery(30*time.Second, 1), row.before)
				b.script.is(71, state("Completed"), ended(time.Now()))
				b.script.broken[71] = unknown
				b.wants("listed", b.cycleEvery(30*time.Second, 6), row.listed)
				b.script.forgets(71)
				b.wants("dropped", b.cycleEvery(30*time.Second, 4), row.dropped)
				if got, lines := b.Counts.Totals().Unseen, strings.Count(said.String(), "the end cannot be told"); got != row.unseen || int64(lines) != row.unseen {
					t.Errorf("%d ends are unseen, %d lines say so; want %d:\n%s", got, lines, row.unseen, &said)
				}
			})
		})
	}
}

// cycleEvery runs so many cycles, with a pause before each, and gives what each told: "- - prod/71 lost".
func (b *bench) cycleEvery(pause time.Duration, times int) string {
	b.t.Helper()
	var polls []string
	for range times {
		time.Sleep(pause)
		b.cycle()
		told := b.drain()
		slices.Sort(told)
		polls = append(polls, strings.Join(told, " + "))
		if len(told) == 0 {
			polls[len(polls)-1] = "-"
		}
	}
	return strings.Join(polls, " ")
}

func (b *bench) wants(what, got, want string) {
	b.t.Helper()
	if got != want {
		b.t.Errorf("%s: told %q, want %q", what, got, want)
	}
}

func TestLostAfterThreePollsAndTheTime(t *testing.T) {
	for _, row := range []struct {
		every, lostAfter time.Duration
		want             string
	}{
		{30 * time.Second, 2 * time.Minute, "- - - - prod/71 lost - -"},
		{30 * time.Second, time.Minute, "- - prod/71 lost - - - -"},
		{30 * time.Second, time.Second, "- - prod/71 lost - - - -"},
		{5 * time.Minute, 2 * time.Minute, "- - prod/71 lost - - - -"},
		{time.Second, 2 * time.Minute, "- - - - - - -"},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, func(c *Config) { c.LostAfter = row.lostAfter })
			b.script.is(1, state("Running"))
			b.script.is(71, state("Running"))
			b.cycle()
			b.drain()
			b.script.forgets(71)
			b.wants(row.every.String()+" for "+row.lostAfter.String(), b.cycleEvery(row.every, 7), row.want)
		})
	}
}

func TestLost(t *testing.T) {
	bench := func(t *testing.T) *bench {
		b := newBench(t, func(c *Config) { c.LostAfter = time.Minute })
		b.script.is(1, state("Running"))
		b.script.is(71, state("Running"))
		b.cycle()
		b.drain()
		b.script.forgets(71)
		return b
	}
	for name, test := range map[string]func(*testing.T){
		"is asked for no more, and returns with the list": func(t *testing.T) {
			b := bench(t)
			b.wants("forgotten", b.cycleEvery(30*time.Second, 3), "- - prod/71 lost")
			b.script.requests()
			b.cycle()
			if got := b.script.requests(); !slices.Equal(got, []int64{0, 1}) {
				t.Errorf("asked for %d, want the list and the other job", got)
			}
			b.script.is(71, state("Running"), phase("Scan"))
			b.wants("listed again", b.cycleEvery(30*time.Second, 2), "prod/71 phase:  → Scan -")
			b.script.forgets(71)
			b.wants("forgotten again", b.cycleEvery(30*time.Second, 4), "- - prod/71 lost -")
		},
		"again, though it came back as it was": func(t *testing.T) {
			b := bench(t)
			b.cycleEvery(30*time.Second, 3)
			b.script.is(71, state("Running"))
			b.wants("listed again", b.cycleEvery(30*time.Second, 2), "- -")
			b.Poller = New(b.Config) // that it was seen is kept
			b.script.forgets(71)
			b.wants("forgotten again", b.cycleEvery(30*time.Second, 4), "- - prod/71 lost -")
		},
		"is known to details one time in three": func(t *testing.T) {
			b := bench(t)
			for range 3 {
				b.script.forgets(71)
				b.wants("forgotten", b.cycleEvery(30*time.Second, 2), "- -")
				b.script.is(71, state("Running"))
				b.wants("there", b.cycleEvery(30*time.Second, 1), "-")
			}
		},
		"says when it was missed, and when it was last asked for": func(t *testing.T) {
			b := bench(t)
			asked := time.Now()
			b.cycleEvery(30*time.Second, 2)
			time.Sleep(30 * time.Second)
			b.cycle()
			lost, found, err := storetest.Oldest(b.store, job.ID{CommCell: "prod", Number: 71})
			if err != nil || !found {
				t.Fatal(found, err)
			}
			data, err := lost.Event.Job()
			if err != nil || !data.Change.ObservedAt.Equal(time.Now()) || !data.Change.NotBefore.Equal(asked) {
				t.Errorf("%v; %+v, want it between %v and %v", err, data.Change, asked, time.Now())
			}
			if data.Job.State != "Running" || data.Severity != job.Warning {
				t.Errorf("%s, %+v", data.Severity, data.Job)
			}
		},
		"never as long as the list names it": func(t *testing.T) {
			b := bench(t)
			b.script.is(71, state("Running"))
			b.script.broken[71] = &commvault.Error{Kind: commvault.UnknownJob, Err: commvault.ErrUnknownJob}
			b.wants("in the list, not in details", b.cycleEvery(30*time.Second, 6), "- - - - - -")
			b.script.forgets(71)
			b.wants("in neither", b.cycleEvery(30*time.Second, 2), "- -")
			b.script.is(71, state("Running"))
			b.wants("in the list again", b.cycleEvery(30*time.Second, 1), "-")
			b.script.forgets(71)
			b.wants("in neither again", b.cycleEvery(30*time.Second, 4), "- - prod/71 lost -")
		},
		"while the rest of the cycle fails": func(t *testing.T) {
			b := bench(t)
			b.script.broken[1] = errAway
			b.script.is(2, state("Running")) // who answers knows a job
			b.wants("forgotten", b.cycleEvery(30*time.Second, 3), "prod/2 state:  → Running - prod/71 lost")
		},
	} {
		t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
	}
}

func TestLostConfiguredJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.LostAfter, c.Jobs, c.Discover = time.Minute, []int64{1, 71}, false })
		b.script.is(1, state("Running"))
		time.Sleep(30 * time.Second)
		b.cycle()
		b.drain()
		b.cycle()
		time.Sleep(time.Minute)
		b.cycle()
		lost, found, err := storetest.Oldest(b.store, job.ID{CommCell: "prod", Number: 71})
		if err != nil || !found {
			t.Fatal(found, err)
		}
		data, err := lost.Event.Job()
		if want := (job.Snapshot{CommCell: "prod", Number: 71}); err != nil || !reflect.DeepEqual(data.Job, want) || data.Change.NotBefore != nil {
			t.Errorf("never seen: got %+v, %v, want %+v", data, err, want)
		}
		b.hasTold("prod/71 lost")
		b.writes = 0
		b.wants("lost", b.cycleEvery(30*time.Second, 5), "- - - - -")
		b.Poller = New(b.Config) // a restart
		b.wants("lost, after a restart", b.cycleEvery(30*time.Second, 5), "- - - - -")
		if b.writes != 0 {
			t.Errorf("%d transactions for a job that was told as lost", b.writes)
		}
		b.script.is(71, state("Running"))
		b.wants("there", b.cycleEvery(30*time.Second, 2), "prod/71 state:  → Running -")
		b.script.forgets(71)
		b.wants("lost again", b.cycleEvery(30*time.Second, 4), "- - prod/71 lost -")
	})
}

// The only job that there is may be lost; but who shows none of several is ill.
func TestForgetfulCommServe(t *testing.T) {
	for _, row := range []struct {
		name string
		edit func(*script)
		want string
		line bool // in the log
	}{
		{"all of three", func(s *script) { s.forgets(71, 72, 73) }, "- - - -", true},
		{"two of three", func(s *script) { s.forgets(71, 72) }, "- - prod/71 lost + prod/72 lost -", false},
		{"all of three, but the list names another", func(s *script) {
			s.forgets(71, 72, 73)
			s.is(80, state("Running"))
			s.broken[80] = errAway
		}, "- - prod/71 lost + prod/72 lost + prod/73 lost -", false},
		{"one, and the others fail", func(s *script) {
			s.forgets(71, 72, 73)
			s.broken[72], s.broken[73] = errAway, errAway
		}, "- - - -", true},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var said bytes.Buffer
				b := newBench(t, func(c *Config) {
					c.LostAfter, c.Log = time.Minute, slog.New(slog.NewTextHandler(&said, nil))
				})
				for number := range int64(3) {
					b.script.is(71+number, state("Running"))
				}
				b.cycle()
				b.drain()
				row.edit(b.script)
				b.wants("forgotten", b.cycleEvery(30*time.Second, 4), row.want)
				lines := strings.Count(said.String(), "fault of the CommServe")
				if (lines == 1) != row.line || lines > 1 {
					t.Errorf("said\n%s", said.String())
				}
				if row.line && strings.Contains(said.String(), "prod/71") {
					t.Errorf("names a job:\n%s", said.String())
				}
			})
		})
	}
	t.Run("the only one", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, func(c *Config) { c.LostAfter = time.Minute })
			b.script.is(71, state("Running"))
			b.cycle()
			b.drain()
			b.script.forgets(71)
			b.wants("forgotten", b.cycleEvery(30*time.Second, 4), "- - prod/71 lost -")
		})
	})
	t.Run("a fault ends the row", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, func(c *Config) { c.LostAfter = time.Minute })
			b.script.is(1, state("Running"))
			b.script.is(71, state("Running"))
			b.cycle()
			b.drain()
			b.script.forgets(71)
			b.wants("one", b.cycleEvery(30*time.Second, 2), "- -")
			b.script.forgets(1)
			b.wants("all", b.cycleEvery(30*time.Second, 4), "- - - -")
			b.script.is(1, state("Running"))
			b.wants("one", b.cycleEvery(30*time.Second, 3), "- - prod/71 lost")
		})
	})
}

// What a foreign event told of a loss, or what the stream gives back to a new store, is not told again.
func TestLostByAForeignWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		other := newBench(t, func(c *Config) { c.LostAfter, c.Jobs = time.Minute, []int64{1, 71} })
		other.script.is(1, state("Running"))
		other.script.is(71, state("Running"))
		id := job.ID{CommCell: "prod", Number: 71}
		var events []event.Event
		for range 4 {
			other.cycle()
			if next, found, _ := storetest.Oldest(other.store, id); found {
				events = append(events, next.Event)
			}
			other.drain()
			other.script.forgets(71)
			time.Sleep(30 * time.Second)
		}
		b := newBench(t, func(c *Config) { c.LostAfter = time.Minute })
		b.script.is(1, state("Running"))
		if err := b.store.Adopt(id, fold(t, events...)); err != nil || len(events) != 2 {
			t.Fatal(err, len(events))
		}
		b.wants("lost before", b.cycleEvery(30*time.Second, 4), "prod/1 state:  → Running - - -")
		if tracked, _ := b.store.Tracked("prod"); len(tracked) != 1 {
			t.Errorf("still tracked: %v", tracked)
		}
	})
}

// A job that the stream says runs, and the CommServe does not know, is lost for a new store too.
func TestLostWithTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.LostAfter = 2 * time.Minute })
		b.script.is(1, state("Running"))
		seen := job.Observation{Snapshot: job.Snapshot{CommCell: "prod", Number: 71, State: "Running"}, Answered: time.Now()}
		seen.Snapshot.Settle()
		e, err := event.NewMinter(nil).Job(1, job.Change{Kind: job.KindState, To: "Running"}, seen, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		if err := b.store.Adopt(seen.ID(), fold(t, e)); err != nil {
			t.Fatal(err)
		}
		b.wants("not known", b.cycleEvery(30*time.Second, 6), "prod/1 state:  → Running - - - prod/71 lost -")
		if _, err := b.store.Forget("prod", time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if _, found, _ := b.store.Snapshot(seen.ID()); found {
			t.Error("a lost job is kept for ever")
		}
	})
}

func TestSeenByAnUnscheduledPollIsNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.LostAfter = time.Nanosecond })
		b.script.is(71, state("Running"))
		m := miss{trackedJob: trackedJob{id: job.ID{CommCell: "prod", Number: 71}}, at: time.Now()}
		time.Sleep(time.Second)
		b.cycle()
		b.drain()
		for range 4 {
			m.at = m.at.Add(time.Millisecond)
			if err := b.countMiss(m, false); err != nil {
				t.Fatal(err)
			}
		}
		b.hasTold()
	})
}
