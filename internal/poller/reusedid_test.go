package poller

import (
	"testing"
	"testing/synctest"
	"time"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
)

func TestNumberUsedAgain(t *testing.T) {
	at := func(minutes int) *time.Time {
		t := time.Date(2000, 1, 1, 0, minutes, 0, 0, time.UTC) // synctest's own day
		return &t
	}
	started := func(m int) func(*job.Snapshot) { return func(s *job.Snapshot) { s.StartTime = at(m) } }
	ended := func(m int) func(*job.Snapshot) { return func(s *job.Snapshot) { s.EndTime = at(m) } }
	lastUpdate := func(m int) func(*job.Snapshot) { return func(s *job.Snapshot) { s.LastUpdateTime = at(m) } }
	type shows = []func(*job.Snapshot)
	for _, row := range []struct {
		name          string
		before, after shows
		tells         []string
	}{
		{"a job that ended, and one that began later",
			shows{state("Failed"), started(-60), ended(-30)}, shows{state("Failed"), started(-20), ended(-10)},
			[]string{"prod/71 state:  → Failed", "prod/71 failure:  → Failed"}},
		{"a job that ran when the database was saved, and one that began later",
			shows{state("Running"), phase("Backup"), started(-60), lastUpdate(-30)}, shows{state("Running"), phase("Backup"), started(-20), lastUpdate(-15)},
			[]string{"prod/71 state:  → Running", "prod/71 phase:  → Backup"}},
		{"the same job",
			shows{state("Running"), started(-60), lastUpdate(-30)}, shows{state("Failed"), started(-60), ended(-10)},
			[]string{"prod/71 state: Running → Failed", "prod/71 failure: Running → Failed"}},
		{"a start that has shifted a little",
			shows{state("Running"), started(-60), lastUpdate(-30)}, shows{state("Pending"), started(-59), lastUpdate(-10)},
			[]string{"prod/71 state: Running → Pending"}},
		{"a start that has shifted by a time zone",
			shows{state("Running"), started(-60), lastUpdate(-30)}, shows{state("Pending"), started(60), lastUpdate(-10)},
			[]string{"prod/71 state: Running → Pending"}},
		{"a start that is absent",
			shows{state("Running"), started(-60), lastUpdate(-30)}, shows{state("Pending"), lastUpdate(-10)},
			[]string{"prod/71 state: Running → Pending"}},
		{"a job that waited, and whose start is when it left the queue",
			shows{state("Queued"), started(-60), lastUpdate(-60)}, shows{state("Running"), started(-20), lastUpdate(-10)},
			[]string{"prod/71 state: Queued → Running"}},
		{"a job that began later, and names no state yet",
			shows{state("Running"), phase("Scan"), started(-60), lastUpdate(-30)}, shows{phase("Backup"), started(-20), lastUpdate(-10)},
			[]string{"prod/71 phase: Scan → Backup"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, func(c *Config) { c.Discover, c.Jobs = false, []int64{71} })
				b.script.is(71, row.before...)
				b.cycle()
				b.drain()
				b.script.is(71, row.after...)
				b.tells(row.tells...)
				b.tells()
			})
		})
	}
}

// TestNumberUsedAgainInTheList: a new job that began and ended between two lists gets its events.
func TestNumberUsedAgainInTheList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.FinishedWithin = 2 * time.Hour })
		day := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
		shows := func(start, end time.Duration) func(*job.Snapshot) {
			from, to := day.Add(start), day.Add(end)
			return func(s *job.Snapshot) { s.State, s.StartTime, s.EndTime = "Completed", &from, &to }
		}
		b.script.is(71, shows(-60*time.Minute, -50*time.Minute))
		b.tells("prod/71 state:  → Completed")
		b.tells()
		b.script.is(71, shows(-40*time.Minute, -30*time.Minute))
		b.tells("prod/71 state:  → Completed")
		b.tells()
	})
}

// A number that was forgotten comes back: what the stream tells of the old job is no part of the new one's, also where
// that was seen but once.
func TestForgottenNumberUsedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Discover, c.Jobs = false, []int64{71} })
		minutesAgo := func(m int) time.Time { return time.Now().Add(-time.Duration(m) * time.Minute) }
		old := job.Snapshot{CommCell: "prod", Number: 71, State: "Completed"}
		start, end := minutesAgo(60), minutesAgo(30)
		old.StartTime, old.EndTime = &start, &end
		old.Settle()
		e, err := event.NewMinter(nil).Job(1, job.Change{Kind: job.KindState, Detail: "completed", To: "Completed"},
			job.Observation{Snapshot: old, Asked: minutesAgo(29), Answered: minutesAgo(29)}, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		b.script.is(71, state("Failed"), started(minutesAgo(20)), ended(minutesAgo(10)))
		b.cycle()
		if err := b.store.Adopt(old.JobID(), fold(t, e)); err != nil {
			t.Fatal(err)
		}
		b.drain()
		b.tells("prod/71 state:  → Failed", "prod/71 failure:  → Failed")
	})
}
