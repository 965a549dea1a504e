package poller

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"jobwatch/internal/job"
	"jobwatch/internal/store"
)

// slowMeter keeps a poll from ending: what it has seen is committed, and its claim is not released yet.
type slowMeter struct {
	*tally
	takes time.Duration
}

func (m *slowMeter) PollTook(took time.Duration) {
	time.Sleep(m.takes)
	m.tally.PollTook(took)
}

// A job that ends, or is untracked, is forgotten in the middle of a poll: whose claim it is, is for its holder to say.
func TestAClaimIsReleasedByItsHolderAlone(t *testing.T) {
	for _, row := range []struct {
		name string
		ends func(b *bench) // in the middle of the first poll
	}{
		{"an end is told", func(b *bench) {}},
		{"untracked", func(b *bench) {
			b.mustStore(b.store.Untrack(job71))
			b.cache.forgetUntracked(nil)
			b.mustStore(b.store.Track(store.ByHand, job71))
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				meter := &slowMeter{takes: 20 * time.Second}
				b := newBench(t, func(c *Config) {
					meter.tally = c.Meter.(*tally)
					c.Meter = meter
				})
				b.script.is(71, state("Completed"), ended(time.Now()))
				b.mustStore(b.store.Track(store.Discovered, job71))
				b.script.takes = 30 * time.Second
				var polls sync.WaitGroup
				poll := func(wait time.Duration) {
					polls.Go(func() { b.mustStore(b.pollUnscheduled(t.Context(), job71)) })
					passes(wait)
				}
				poll(35 * time.Second)
				row.ends(b)
				b.script.requests()
				poll(6 * time.Second)
				poll(6 * time.Second)
				if asked := b.script.requests(); len(asked) != 0 {
					t.Errorf("asked %d times in the middle of the poll", len(asked))
				}
				passes(6 * time.Second) // and it is over
				poll(0)
				polls.Wait()
				if asked := b.script.requests(); len(asked) != 1 || b.script.most > 1 {
					t.Errorf("asked %d times after it, %d at once; want once", len(asked), b.script.most)
				}
			})
		})
	}
}

func TestWhatIsRememberedOfAJobEndsWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Discover, c.Jobs, c.LostAfter = false, []int64{1}, time.Minute })
		b.script.is(1, state("Running"))
		for number := range int64(100) {
			b.script.is(1000+number, state("Running"))
			b.mustStore(b.store.Track(store.ByHand, job.ID{CommCell: "prod", Number: 1000 + number}))
		}
		b.script.broken[1007] = errAway // of the CommCell as a whole: it has an entry in the cache as well
		b.cycle()
		b.cache.log.add(1003, []job.FeedEntry{{Time: time.Now()}})
		for number := range int64(98) {
			b.mustStore(b.store.Untrack(job.ID{CommCell: "prod", Number: 1000 + number}))
		}
		b.script.is(1098, state("Completed"), ended(time.Now()))
		b.script.forgets(1099)
		b.cycle()
		b.cycleEvery(30*time.Second, 4)
		delete(b.cache.jobs, theCommCell)
		if len(b.cache.jobs) != 1 || b.cache.log.size() != 0 {
			t.Errorf("remembers %d jobs and what the feed said of %d; one is followed", len(b.cache.jobs), b.cache.log.size())
		}
	})
}
