package poller

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"jobwatch/internal/job"
	"jobwatch/internal/store"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// seconds after noon at which an answer was asked for, and that it shows as its own time.
type answerAt struct{ asked, own int }

func (a answerAt) observation() job.Observation {
	own := noon.Add(time.Duration(a.own) * time.Second)
	return job.Observation{Snapshot: job.Snapshot{LastUpdateTime: &own}, Asked: noon.Add(time.Duration(a.asked) * time.Second)}
}

func TestNewer(t *testing.T) {
	for _, row := range []struct {
		words   string
		last    answerAt
		answers []answerAt
		want    []bool
	}{
		{"a later one", answerAt{10, 10}, []answerAt{{20, 20}}, []bool{true}},
		{"the same again", answerAt{10, 10}, []answerAt{{10, 10}}, []bool{true}},
		{"asked for before the last", answerAt{10, 10}, []answerAt{{9, 11}}, []bool{false}},
		{"its own time before the last's", answerAt{10, 10}, []answerAt{{20, 9}}, []bool{false}},
		{"three that agree", answerAt{10, 10}, []answerAt{{20, 5}, {30, 6}, {40, 7}}, []bool{false, false, true}},
		{"three that do not", answerAt{10, 10}, []answerAt{{20, 5}, {30, 4}, {40, 3}}, []bool{false, false, false}},
		{"three, and a newer one between", answerAt{10, 10}, []answerAt{{20, 5}, {30, 11}, {40, 6}, {50, 7}}, []bool{false, true, false, false}},
	} {
		for name, restarted := range map[string]bool{"": false, ", after a restart": true} {
			t.Run(row.words+name, func(t *testing.T) {
				last := row.last.observation()
				s, known := &cachedJob{asked: last.Asked, updated: last.Snapshot.Updated().Unix()}, store.Known{}
				if restarted {
					s, known = &cachedJob{}, store.Known{Asked: last.Asked, Updated: last.Snapshot.Updated()}
				}
				for i, answer := range row.answers {
					seen := answer.observation()
					if got := s.accepts(known, &seen); got != row.want[i] {
						t.Errorf("answer %d is newer: %v, want %v", i, got, row.want[i])
					}
				}
			})
		}
	}
}

func TestARowOfOlderAnswersEndsWithANewerForeignEvent(t *testing.T) {
	s := &cachedJob{asked: noon, updated: noon.Unix()}
	for i, row := range []struct {
		told, own int // by a foreign event; of the answer: seconds after noon
		want      bool
	}{{20, 5, false}, {20, 6, false}, {30, 7, false}, {30, 7, false}, {30, 8, true}} {
		told, seen := answerAt{0, row.told}.observation(), answerAt{40 + i, row.own}.observation()
		known := store.Known{Updated: told.Snapshot.Updated(), RefreshPending: true}
		if got := s.accepts(known, &seen); got != row.want {
			t.Errorf("answer %d is newer: %v, want %v", i, got, row.want)
		}
	}
}

func TestNotBeforeIsTheForeignWriters(t *testing.T) {
	ours, theirs := noon, noon.Add(-time.Minute)
	for words, row := range map[string]struct {
		asked time.Time // by this process
		known store.Known
		want  time.Time
	}{
		"our own last poll":         {ours, store.Known{Asked: theirs}, ours},
		"the last kept, at a start": {time.Time{}, store.Known{Asked: theirs}, theirs},
		"of a foreign event":        {ours, store.Known{Asked: theirs, RefreshPending: true}, theirs},
	} {
		s := &cachedJob{asked: row.asked}
		if got := s.notBefore(row.known); !got.Equal(row.want) {
			t.Errorf("%s: %v, want %v", words, got, row.want)
		}
	}
}

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
