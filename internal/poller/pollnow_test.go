package poller

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"jobwatch/internal/job"
	"jobwatch/internal/store"
)

func TestPollNow(t *testing.T) {
	prod := func(number int64) job.ID { return job.ID{CommCell: "prod", Number: number} }
	for _, row := range []struct {
		name  string
		takes time.Duration // each request
		asked int           // how often 706 has been asked for after 10 s
	}{
		{"between two cycles", 0, 1},
		{"during a cycle", 25 * time.Second, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, func(c *Config) { c.Discover, c.Jobs = false, []int64{71} })
				b.script.is(71, state("Running"))
				b.script.is(706, state("Running"))
				b.script.takes = row.takes
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan error)
				go func() { ended <- b.Run(ctx) }()
				time.Sleep(5 * time.Second)
				if err := b.store.Track(store.ByHand, prod(706)); err != nil {
					t.Fatal(err)
				}
				b.PollNow(prod(706))
				b.PollNow(prod(999)) // not tracked: not asked for
				b.PollNow(prod(71))  // with a slow CommServe it is being asked for already
				time.Sleep(5 * time.Second)
				synctest.Wait()
				count := map[int64]int{}
				for _, number := range b.script.requests() {
					count[number]++
				}
				if count[706] != row.asked || count[999] != 0 {
					t.Errorf("asked for 706 %d times, for 999 %d times; want %d and 0", count[706], count[999], row.asked)
				}
				cancel()
				if err := <-ended; err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestTwoNeverPollOneJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Discover, c.Jobs = false, []int64{71} })
		b.script.is(71, state("Running"))
		b.script.takes = 10 * time.Second
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- b.Run(ctx) }()
		time.Sleep(time.Second)
		b.PollNow(job.ID{CommCell: "prod", Number: 71})
		time.Sleep(19 * time.Second)
		synctest.Wait()
		if got := len(b.script.requests()); got != 1 {
			t.Errorf("asked %d times, want once", got)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
