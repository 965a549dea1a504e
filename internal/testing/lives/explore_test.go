package lives

import (
	"bytes"
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"jobwatch/internal/testing/modelbroker"
	"jobwatch/internal/testing/slow"
)

// explorer goes all ways.
type explorer struct {
	faults   int
	edit     func(*world) // makes a mistake, if it is not nil
	cluster  bool         // the watchers share the CommCell
	begins   func(*world) // what has happened before, there; nil: nothing
	anyOrder bool         // ways are gone as they come, and not the last first
	limit    int
	seed     maphash.Seed
	mu       sync.Mutex
	seen     map[uint64]struct{}
	open     []way // that have been begun
	lost     int   // paths that could not be walked again
	walking  int
	ends     int
	runs     int
	found    []string
}

// way is one that leads on from a state.
type way struct {
	choices []uint8
	from    uint64 // the state before the last choice; 0: there is none
	tries   int
}

func (e *explorer) isNew(h uint64) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, known := e.seen[h]; known {
		return false
	}
	e.seen[h] = struct{}{}
	return true
}

func (e *explorer) hash(state string) uint64 { return maphash.String(e.seed, state) }

func (e *explorer) leave(ways ...way) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.open = append(e.open, ways...)
}

// strayed leaves a path to be walked again, but for one that only ever led there once.
func (e *explorer) strayed(a way) {
	if a.tries++; a.tries < 20 {
		e.leave(a)
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.lost++
}

// next gives a way to go on; nil: none just now; false: nobody walks who might leave one.
func (e *explorer) next() (next *way, more bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.found) > 0 || e.limit > 0 && len(e.seen) > e.limit {
		return nil, false
	}
	n := len(e.open)
	if n == 0 {
		return nil, e.walking > 0
	}
	if e.anyOrder {
		i := rand.IntN(n)
		e.open[i], e.open[n-1] = e.open[n-1], e.open[i]
	}
	last := e.open[n-1]
	e.open = e.open[:n-1]
	e.walking++
	e.runs++
	return &last, true
}

func (e *explorer) arrived() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.walking--
}

// walk goes a way to its end, or to where another has been, and leaves the forks to others.
func (e *explorer) walk(t *testing.T, f *files, a way, telling bool) (findings []finding, story string) {
	synctest.Test(t, func(*testing.T) {
		k := knobs{watchers: 2, jobs: 1, concurrency: 1, polls: 1}
		k.cluster.on = e.cluster
		w := newWorld(k, rand.New(rand.NewPCG(1, 1)), f)
		w.small, w.telling = &small{faults: e.faults, observations: 3}, telling
		w.stream = modelbroker.New(modelbroker.Config{Patience: 1000 * time.Hour, Window: time.Nanosecond})
		if e.edit != nil {
			e.edit(w)
		}
		if e.cluster {
			w.small.observations, w.small.lapses = 2, 2
		}
		for _, x := range w.watchers {
			f.fresh(x)
			w.start(x)
			w.comesIn(x)
		}
		w.settles()
		for _, x := range w.watchers {
			w.empties(x, 0)
		}
		if e.begins != nil {
			e.begins(w)
		}
		ended := w.follow(e, a)
		if ended {
			e.mu.Lock()
			e.ends++
			e.mu.Unlock()
			findings = append(w.smallRest(), w.judged()...)
			story = w.story.String() + w.tells()
		}
		for _, x := range w.watchers {
			if x.process != nil {
				w.stop(x.process)
			}
			f.keep(x)
		}
	})
	return findings, story
}

// follow gives whether the way came to its end. Where it led elsewhere this time, for a select had two ways to go on, it is
// left to be walked once more, and what was come to instead is explored, too.
func (w *world) follow(e *explorer, a way) bool {
	for i, choice := range a.choices {
		options := w.smallOptions()
		last := i == len(a.choices)-1
		if int(choice) >= len(options) || last && a.from != 0 && a.from != e.hash(w.state()) {
			e.strayed(a)
			return w.goOn(e, a.choices[:i])
		}
		w.smallStep(options[choice])
	}
	return w.goOn(e, a.choices)
}

// goOn goes on where nobody has been, and leaves the forks to others.
func (w *world) goOn(e *explorer, choices []uint8) bool {
	for {
		at := e.hash(w.state())
		if !e.isNew(at) {
			return false
		}
		options := w.smallOptions()
		if len(options) == 0 {
			return true
		}
		for n := len(options) - 1; n > 0; n-- {
			e.leave(way{choices: append(bytes.Clone(choices), uint8(n)), from: at})
		}
		choices = append(bytes.Clone(choices), 0)
		w.smallStep(options[0])
	}
}

// smallRest lets both watchers read the stream and poll again, until nothing changes any more.
func (w *world) smallRest() []finding {
	if w.shared() {
		return w.smallClusterRest()
	}
	w.say("all is well from now on")
	for range 4 {
		for _, x := range w.watchers {
			x.process.conn.Cut()
			x.process.conn.Restore()
			w.settles()
			w.empties(x, 1)
		}
	}
	return nil
}

// empties lets a watcher go on, with so many observations.
func (w *world) empties(x *watcher, observations int) {
	for range 1000 {
		var next *call
		for _, c := range w.gate.calls() {
			if c.process.watcher == x && (c.what != "details" || observations > 0) && (next == nil || next.what == "details") {
				next = c
			}
		}
		if next == nil {
			return
		}
		if next.what == "details" {
			observations--
		}
		w.release(next, goes)
		w.settles()
	}
}

func newExplorer(faults, limit int, edit func(*world)) *explorer {
	return &explorer{faults: faults, limit: limit, edit: edit, seed: maphash.MakeSeed(), seen: map[uint64]struct{}{}, open: []way{{}}}
}

func (e *explorer) explore(t *testing.T) {
	t.Run("explore", func(t *testing.T) {
		for range runtime.GOMAXPROCS(0) {
			t.Run("", func(t *testing.T) {
				t.Parallel()
				e.run(t, folder(t))
			})
		}
	})
}

func TestSmallWorld(t *testing.T) {
	slow.Test(t, "2 s", "every order of steps of a small world")
	walked(t, newExplorer(1, setting("JOBWATCH_STATES", 400), nil), 2)
}

func TestSmallWorldOfACluster(t *testing.T) {
	slow.Test(t, "2 s", "every order of steps of two members that share a job")
	e := newExplorer(1, setting("JOBWATCH_STATES", 200), nil)
	e.cluster = true
	walked(t, e, 1)
}

// walked explores a part of a world, or all of it, with so many faults at most.
func walked(t *testing.T, e *explorer, faults int) {
	t.Helper()
	if os.Getenv("JOBWATCH_EXPLORE") == "whole" {
		e.faults, e.limit = setting("JOBWATCH_FAULTS", faults), 0
	}
	began := time.Now()
	e.explore(t)
	for _, story := range e.found {
		t.Error(story)
	}
	t.Logf("%d states, %d ends, %d ways walked, %d left open, %d lost, at most %d faults a history, in %v",
		len(e.seen), e.ends, e.runs, len(e.open), e.lost, e.faults, time.Since(began).Round(time.Second))
}

// If a state left out something that matters, which states there are would depend on the order in which they are visited.
func TestTheSmallWorldIsTheSameInAnyOrder(t *testing.T) {
	slow.Test(t, "5 s", "two small worlds are walked whole, twice")
	for name, cluster := range map[string]bool{"two that do not know of each other": false, "a cluster": true} {
		t.Run(name, func(t *testing.T) {
			first, second := newExplorer(0, 0, nil), newExplorer(0, 0, nil)
			first.cluster, second.cluster, second.anyOrder = cluster, cluster, true
			first.explore(t)
			second.explore(t)
			if len(first.seen) != len(second.seen) || first.ends != second.ends {
				t.Errorf("%d states and %d ends in one order, %d and %d in another", len(first.seen), first.ends, len(second.seen), second.ends)
			}
			t.Logf("%d states, %d ends", len(first.seen), first.ends)
		})
	}
}

func (e *explorer) run(t *testing.T, f *files) {
	said := time.Now()
	for {
		next, more := e.next()
		switch {
		case !more:
			return
		case next == nil:
			time.Sleep(time.Millisecond)
			continue
		}
		findings, _ := e.walk(t, f, *next, false)
		e.arrived()
		if len(findings) > 0 {
			again := newExplorer(e.faults, 0, e.edit)
			again.cluster, again.begins = e.cluster, e.begins
			_, story := again.walk(t, f, way{choices: next.choices}, true)
			e.mu.Lock()
			e.found = append(e.found, fmt.Sprintf("%v\n%s", findings, story))
			e.mu.Unlock()
		}
		if time.Since(said) > 30*time.Second {
			said = time.Now()
			e.mu.Lock()
			fmt.Printf("%d states, %d ways open\n", len(e.seen), len(e.open))
			e.mu.Unlock()
		}
	}
}
