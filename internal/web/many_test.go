package web

import (
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"jobwatch/internal/commvault"
	"jobwatch/internal/event"
	"jobwatch/internal/job"
	"jobwatch/internal/sim"
	"jobwatch/internal/store"
	"jobwatch/internal/store/storetest"
)

// storeOfMany makes the file of a store with so many simulated jobs of the last day, one in twenty of which runs.
func storeOfMany(t testing.TB, dir string, jobs int) (path string) {
	t.Helper()
	path = filepath.Join(dir, "watcher.db")
	st, err := store.Open(path, event.NewMinter(nil))
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	storetest.NoSync(st)
	play := sim.New(sim.Config{
		Jobs: jobs / 20, Arrivals: float64(jobs) / (23 * 3600), Most: jobs - jobs/20, NoRecord: true,
		Start: time.Now().Add(-23 * time.Hour), Clock: func() time.Duration { return 23*time.Hour - time.Second },
	})
	client, err := commvault.New(commvault.Config{
		CommCell: "prod", URL: "http://inside/webconsole/api", Token: "QSDK sim", Transport: play.Inside(),
	})
	if err != nil {
		t.Fatal(err)
	}
	var writers errgroup.Group
	writers.SetLimit(64) // whose commits share transactions
	for n := range int64(jobs) {
		writers.Go(func() error {
			seen, err := client.JobDetails(t.Context(), 1001+n)
			if err != nil {
				return err
			}
			if n%20 == 19 {
				s := &seen.Snapshot
				s.State, s.Phase, s.EndTime, s.PercentComplete = "Running", "Backup", nil, new(float64(n%100))
				s.Settle()
			}
			return st.Commit(store.PollResult{Known: toldOf(&seen), Seen: seen})
		})
	}
	if err := writers.Wait(); err != nil {
		t.Fatal(err)
	}
	return path
}

// toldOf is as if the job's state had been told, up to half a minute after it was so.
func toldOf(seen *job.Observation) store.Known {
	s := &seen.Snapshot
	at := seen.Answered
	if s.EndTime != nil {
		at = s.EndTime.Add(time.Duration(s.Number%30) * time.Second)
	} else if s.StartTime != nil {
		at = s.StartTime.Add(time.Duration(s.Number%30) * time.Second)
	}
	change := job.Change{Kind: job.KindState, Detail: "any", To: s.State}
	return store.Known{Told: job.Told{}.Tell(change, s, at)}
}

// manyWorld is a world with so many jobs.
func manyWorld(t testing.TB, jobs int) *world {
	dir := t.TempDir()
	storeOfMany(t, dir, jobs)
	return newWorldIn(t, dir)
}
