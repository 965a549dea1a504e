package lives

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"jobwatch/internal/cluster"
	"jobwatch/internal/testing/slow"
)

// script is a life of a cluster to which only that happens which a test says.
type script struct {
	*world
	t     *testing.T
	moves bool // jobs move on by themselves
}

// scripted plays a script, and judges it at its end as a life.
func scripted(t *testing.T, f *files, seed uint64, k knobs, lie func(*world), play func(*script)) (wrong []finding) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		k.concurrency, k.polls, k.cluster.on = 1, 1000, true
		w := newWorld(k, rand.New(rand.NewPCG(seed, 16)), f)
		w.script, w.healed = true, true
		if lie != nil {
			lie(w)
		}
		s := &script{world: w, t: t}
		for _, x := range w.watchers {
			f.fresh(x)
			s.starts(x)
			s.runs(3 * time.Second)
		}
		s.runs(time.Duration(10_000+w.random.IntN(5000)) * time.Millisecond)
		play(s)
		w.script = false
		err := w.heal()
		if err == nil {
			wrong = append(w.judgedCluster(), w.judged()...)
		} else {
			wrong = append(w.board.wrong, finding{"at rest", err.Error()})
		}
		for _, x := range w.watchers {
			if x.process != nil {
				w.stop(x.process)
			}
			f.keep(x)
		}
	})
	return wrong
}

func (s *script) starts(x *watcher) { s.start(x) }

// runs lets time pass.
func (s *script) runs(d time.Duration) {
	for until := time.Now().Add(d); time.Now().Before(until); {
		if err := s.step(); err != nil {
			s.t.Fatal(err)
		}
		if number := 1 + s.random.IntN(200); s.moves && number <= len(s.serve.jobs) {
			s.serve.moves(int64(number), s.random)
		}
	}
	synctest.Wait()
}

// owner is who has claimed the CommCell, and the others.
func (s *script) owner() (owner *watcher, others []*watcher) {
	s.noteClaims()
	for _, x := range s.watchers {
		if s.board.claims["prod"].Instance == x.name {
			owner = x
		} else {
			others = append(others, x)
		}
	}
	if owner == nil {
		s.wrong("nobody owns the CommCell")
		return s.watchers[0], s.watchers[1:]
	}
	return owner, others
}

// firstBy gives how long it took from a time until somebody else than one asked the CommServe.
func (s *script) firstBy(other *watcher, since time.Time) time.Duration {
	for _, q := range s.board.questions(since) {
		if q.watcher != other.name {
			return q.at.Sub(since)
		}
	}
	return never
}

const never = 1000 * time.Hour

// asksOn says whether a watcher asks at least so often as its schedule says.
func (s *script) asksOn(x *watcher, since time.Time) bool {
	last := since
	for _, q := range append(s.board.questions(since), question{watcher: x.name, at: time.Now()}) {
		if q.watcher != x.name {
			continue
		}
		if q.at.Sub(last) > 35*time.Second {
			return false
		}
		last = q.at
	}
	return true
}

// jitter is up to so long.
func (s *script) jitter(most time.Duration) time.Duration {
	return time.Duration(s.random.Int64N(int64(most)))
}

// What is promised of a cluster.
const (
	afterDeath = 15 * time.Second
	afterStop  = 2 * time.Second
)

var clusterFacts = []struct {
	words  string
	within time.Duration
	play   func(*script) time.Duration
}{
	{"the owner is killed, another polls", afterDeath, func(s *script) time.Duration {
		owner, _ := s.owner()
		began := time.Now()
		s.crash(owner)
		s.runs(30 * time.Second)
		return s.firstBy(owner, began)
	}},
	{"the owner stops, another polls", afterStop, func(s *script) time.Duration {
		owner, _ := s.owner()
		began := time.Now()
		owner.process.cancel()
		s.runs(30 * time.Second)
		return s.firstBy(owner, began)
	}},
	{"the owner is cut off, another polls, and it polls on itself", afterDeath, func(s *script) time.Duration {
		owner, _ := s.owner()
		began := time.Now()
		s.take(option{do: cut, watcher: owner})
		s.runs(2 * time.Minute)
		if !s.asksOn(owner, began) {
			s.wrong("the cut owner polls no more")
		}
		return s.firstBy(owner, began)
	}},
	{"the owner stands still for a minute, another polls", afterDeath, func(s *script) time.Duration {
		owner, _ := s.owner()
		began := time.Now()
		owner.process.standsStill()
		s.runs(time.Minute)
		s.take(option{do: goOn, watcher: owner})
		s.runs(5 * time.Second)
		if now, _ := s.owner(); now == owner {
			s.wrong("who has stood still has its claim back")
		}
		return s.firstBy(owner, began)
	}},
	{"NATS is away for all, nothing changes", 0, func(s *script) time.Duration {
		owner, others := s.owner()
		return s.nothingChanges(func() {
			began := time.Now()
			for _, x := range s.watchers {
				s.take(option{do: cut, watcher: x})
				s.runs(s.jitter(time.Second))
			}
			s.runs(2 * time.Minute)
			if !s.asksOn(owner, began) {
				s.wrong("NATS is away for all, and the owner does not poll on")
			}
			for _, x := range s.inSomeOrder(append(others, owner)) {
				s.take(option{do: restore, watcher: x})
				s.runs(s.jitter(4 * time.Second))
			}
		})
	}},
	{"all stand still and go on, nothing changes", 0, func(s *script) time.Duration {
		owner, others := s.owner()
		return s.nothingChanges(func() {
			for _, x := range s.watchers {
				x.process.standsStill()
			}
			s.runs(s.jitter(2 * time.Minute))
			for _, x := range s.inSomeOrder(append(others, owner)) {
				s.take(option{do: goOn, watcher: x})
				s.runs(s.jitter(1500 * time.Millisecond))
			}
		})
	}},
	{"who waits stands still for a minute, nothing changes", 0, func(s *script) time.Duration {
		_, others := s.owner()
		return s.nothingChanges(func() {
			others[0].process.standsStill()
			s.runs(time.Minute)
			s.take(option{do: goOn, watcher: others[0]})
		})
	}},
	{"another store under the name of one that lives is refused", 0, func(s *script) time.Duration {
		owner, _ := s.owner()
		return s.nothingChanges(func() {
			stale := &watcher{
				name: owner.name, path: owner.path + "-stale", newest: map[int64]time.Time{}, asked: map[int64]int{},
				oldRow: map[int64]int{}, missRow: map[int64]int{},
			}
			s.files.fresh(stale)
			s.starts(stale)
			p := stale.process
			s.runs(10 * time.Second)
			if used := (*cluster.InUseError)(nil); !p.hasEnded() || !errors.As(p.part.refused, &used) {
				s.wrong("a second watcher runs under the same name")
			}
			s.stop(p)
			s.files.keep(stale)
		})
	}},
	{"the bucket is deleted, each CommCell has its owner again", time.Minute, func(s *script) time.Duration {
		owner, _ := s.owner()
		began := time.Now()
		s.take(option{do: deleteBucket})
		s.noteClaims()
		for s.board.claims["prod"].Instance == "" && time.Since(began) < 2*time.Minute {
			s.runs(100 * time.Millisecond)
			s.noteClaims()
		}
		took := time.Since(began)
		if now, _ := s.owner(); now != owner || !s.asksOn(owner, began) {
			s.wrong("another polls after the bucket was deleted")
		}
		return took
	}},
}

// wrong notes what should not be.
func (s *script) wrong(format string, values ...any) {
	s.board.wrong = append(s.board.wrong, finding{"in the script", fmt.Sprintf(format, values...)})
}

func (s *script) inSomeOrder(all []*watcher) []*watcher {
	s.random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// nothingChanges lets something happen after which the same one polls as before, and nobody else has, nor has claimed.
func (s *script) nothingChanges(happens func()) time.Duration {
	owner, _ := s.owner()
	before, began := s.board.claims["prod"], time.Now()
	happens()
	s.runs(time.Minute)
	s.noteClaims()
	if now := s.board.claims["prod"]; now != before {
		s.wrong("%v was claimed, and is now: %v", before, now)
	}
	if took := s.firstBy(owner, began); took < never {
		s.wrong("another polls after %v", took)
	}
	return 0
}

// TestAClusterGoesOnInTime has something happen at many moments of a cluster's beats and polls, and measures, in simulated
// time, until another polls.
func TestAClusterGoesOnInTime(t *testing.T) {
	slow.Test(t, "6 s", "another has to take over at whatever moment a watcher is struck")
	for _, fact := range clusterFacts {
		t.Run(fact.words, func(t *testing.T) {
			t.Parallel()
			f := folder(t)
			var all []time.Duration
			for n := range 20 {
				wrong := scripted(t, f, uint64(n), plainCluster(2+n%2), nil, func(s *script) {
					s.moves = true
					all = append(all, fact.play(s))
				})
				if len(wrong) > 0 {
					t.Errorf("moment %d: %v", n, wrong)
				}
			}
			slices.Sort(all)
			t.Logf("from %v to %v, half within %v", all[0], all[len(all)-1], all[len(all)/2])
			if longest := all[len(all)-1]; longest > fact.within {
				t.Errorf("it takes %v, and not %v", longest, fact.within)
			}
		})
	}
}

// plainCluster is one of a CommCell with two jobs.
func plainCluster(watchers int) knobs {
	return knobs{watchers: watchers, cells: 1, jobs: 2, cluster: clusterKnobs{rest: 90 * time.Second}}
}
