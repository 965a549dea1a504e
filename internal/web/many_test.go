package web

import (
	"fmt"
	"math/rand/v2"
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

// storeOfMany makes the file of a store with so many jobs of the last day, one in twenty of which runs.
func storeOfMany(t testing.TB, dir string, jobs int) (path string) {
	t.Helper()
	path = filepath.Join(dir, "watcher.db")
	st, err := store.Open(path, event.NewMinter(nil))
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	storetest.NoSync(st)
	kinds := simulated(t, 1000)
	dice := rand.New(rand.NewPCG(1, 2))
	began := time.Now().Add(-23 * time.Hour).Truncate(time.Second)
	var writers errgroup.Group
	writers.SetLimit(64) // whose commits share transactions
	for n := range jobs {
		s := kinds[n%len(kinds)]
		s.Number = 1001 + int64(n)
		s.StartTime = new(began.Add(22 * time.Hour * time.Duration(n) / time.Duration(jobs)))
		s.EndTime = new(s.StartTime.Add(time.Duration(1+dice.IntN(3000)) * time.Second))
		if s.Client != "" {
			s.Client = job.Text(fmt.Sprintf("%s-%d", s.Client, n/len(kinds)))
		}
		if s.SizeOfApplication != nil {
			s.SizeOfApplication = new(dice.Int64N(2**s.SizeOfApplication + 1))
		}
		if n%20 == 19 {
			s.State, s.Phase, s.EndTime, s.PercentComplete = "Running", "Backup", nil, new(float64(n%100))
		}
		s.Settle()
		writers.Go(func() error {
			return st.Commit(store.PollResult{Known: toldOf(&s), Seen: job.Observation{Snapshot: s, Asked: time.Now(), Answered: time.Now()}})
		})
	}
	if err := writers.Wait(); err != nil {
		t.Fatal(err)
	}
	return path
}

// simulated are so many jobs as a CommServe has them, at some time of their lives.
func simulated(t testing.TB, jobs int) (all []job.Snapshot) {
	t.Helper()
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
	for n := range int64(jobs) {
		seen, err := client.JobDetails(t.Context(), 1001+n)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, seen.Snapshot)
	}
	return all
}

// toldOf is as if the job's state had been told, up to half a minute after it was so.
func toldOf(s *job.Snapshot) store.Known {
	at := *s.StartTime
	if s.EndTime != nil {
		at = *s.EndTime
	}
	at = at.Add(time.Duration(s.Number%30) * time.Second)
	return store.Known{Told: job.Told{}.Tell(job.Change{Kind: job.KindState, Detail: "any", To: s.State}, s, at)}
}

// manyWorld is a world with so many jobs.
func manyWorld(t testing.TB, jobs int) *world {
	dir := t.TempDir()
	storeOfMany(t, dir, jobs)
	return newWorldIn(t, dir)
}
