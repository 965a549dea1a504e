package poller

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
)

// TestAFailureThatAnotherHasNotToldYet has another watcher die between a state and its failure.state, and the job move on
// before it is polled here: the failure is told first, of what was seen when it failed.
func TestAFailureThatAnotherHasNotToldYet(t *testing.T) {
	const failure = "prod/71 failure: Running → Failed"
	for name, row := range map[string]struct {
		state job.Text // that the job has now; empty: the CommServe does not know it any more
		told  bool     // the other has told the failure, too
		want  []string
	}{
		"it runs again":         {"Running", false, []string{failure, "prod/71 state: Failed → Running"}},
		"it runs, and was told": {"Running", true, nil},
		"it was killed":         {"Killed", false, []string{failure, "prod/71 state: Failed → Killed", "prod/71 failure: Failed → Killed"}},
		"it failed still":       {"Failed", false, []string{failure}},
		"it is forgotten":       {"", false, []string{failure}},
	} {
		for _, standsBy := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := newBench(t, func(c *Config) { c.Discover = false })
					events := failsAt(t, time.Now(), row.told)
					adopt := b.store.Adopt
					if standsBy {
						adopt = b.store.StandBy
					}
					if err := adopt(job.ID{CommCell: "prod", Number: 71}, fold(t, events...)); err != nil {
						t.Fatal(err)
					}
					if row.state != "" {
						b.script.is(71, state(row.state))
					}
					var got []string
					for range 4 { // three answers that do not know a job agree
						b.cycle()
						got = append(got, b.drain()...)
					}
					if !slices.Equal(got, row.want) {
						t.Errorf("told %q, want %q", got, row.want)
					}
				})
			})
		}
	}
}

// failsAt are another watcher's events of a job that runs and fails.
func failsAt(t *testing.T, at time.Time, failureToo bool) (events []event.Event) {
	other, seen := event.NewMinter(nil), job.Observation{Answered: at, Asked: at}
	tell := func(c job.Change, is job.Text) {
		seen.Snapshot = job.Snapshot{CommCell: "prod", Number: 71, State: is}
		seen.Snapshot.Settle()
		e, err := other.Job(uint64(len(events)+1), c, seen, at)
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	tell(job.Change{Kind: job.KindState, Detail: "running", To: "Running"}, "Running")
	tell(job.Change{Kind: job.KindState, Detail: "failed", From: "Running", To: "Failed"}, "Failed")
	if failureToo {
		tell(job.Change{Kind: job.KindFailure, Detail: job.DetailState, From: "Running", To: "Failed"}, "Failed")
	}
	return events
}
