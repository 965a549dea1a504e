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

	"jobwatch/internal/stream/modelbroker"
)

// explorer goes all ways.
type explorer struct {
	faults  int
	edit    func(*world) // makes a mistake, if it is not nil
	limit   int
	seed    maphash.Seed
	mu      sync.Mutex
	seen    map[uint64]struct{}
	open    [][]uint8 // ways that have been begun, as choices
	walking int
	ends    int
	runs    int
	found   []string
}

func (e *explorer) isNew(state string) bool {
	h := maphash.String(e.seed, state)
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, known := e.seen[h]; known {
		return false
	}
	e.seen[h] = struct{}{}
	return true
}

func (e *explorer) leave(ways ...[]uint8) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.open = append(e.open, ways...)
}

// next gives a way to go on; nil: none just now; false: nobody walks who might leave one.
func (e *explorer) next() (way []uint8, more bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.found) > 0 || e.limit > 0 && len(e.seen) > e.limit {
		return nil, false
	}
	n := len(e.open)
	if n == 0 {
		return nil, e.walking > 0
	}
	if e.edit != nil { // what is sought may be anywhere
		i := rand.IntN(n)
		e.open[i], e.open[n-1] = e.open[n-1], e.open[i]
	}
	way, e.open = e.open[n-1], e.open[:n-1]
	e.walking++
	e.runs++
	return way, true
}

func (e *explorer) arrived() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.walking--
}

// walk goes a way to its end, or to where another has been, and leaves the forks to others.
func (e *explorer) walk(t *testing.T, f *files, way []uint8, telling bool) (findings []finding, story string) {
	synctest.Test(t, func(*testing.T) {
		w := newWorld(knobs{watchers: 2, jobs: 1, concurrency: 1, polls: 1}, rand.New(rand.NewPCG(1, 1)), f)
		w.small, w.telling = &small{faults: e.faults}, telling
		w.stream = modelbroker.New(modelbroker.Config{Patience: 1000 * time.Hour, Window: time.Nanosecond})
		if e.edit != nil {
			e.edit(w)
		}
		for _, x := range w.watchers {
			f.fresh(x)
			w.start(x)
		}
		w.settles()
		for _, x := range w.watchers {
			w.empties(x, 0)
		}
		ended := w.follow(e, way)
		if ended {
			e.mu.Lock()
			e.ends++
			e.mu.Unlock()
			w.smallRest()
			findings = w.judged()
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

// follow gives whether the way came to its end.
func (w *world) follow(e *explorer, way []uint8) bool {
	for i := 0; ; i++ {
		options := w.smallOptions()
		if i < len(way) {
			w.smallStep(options[way[i]])
			continue
		}
		if !e.isNew(w.state()) {
			return false
		}
		if len(options) == 0 {
			return true
		}
		for n := len(options) - 1; n > 0; n-- {
			e.leave(append(bytes.Clone(way), uint8(n)))
		}
		way = append(way, 0)
		w.smallStep(options[0])
	}
}

// smallRest lets both watchers read the stream anew, and look again, until nothing changes any more.
func (w *world) smallRest() {
	w.say("all is well from now on")
	for range 4 {
		for _, x := range w.watchers {
			x.process.conn.Cut()
			x.process.conn.Restore()
			w.settles()
			w.empties(x, 1)
		}
	}
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
	return &explorer{faults: faults, limit: limit, edit: edit, seed: maphash.MakeSeed(), seen: map[uint64]struct{}{}, open: [][]uint8{{}}}
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
	e := newExplorer(1, setting("JOBWATCH_STATES", 400), nil)
	if os.Getenv("JOBWATCH_EXPLORE") == "whole" {
		e.faults, e.limit = setting("JOBWATCH_FAULTS", 2), 0
	}
	began := time.Now()
	e.explore(t)
	for _, story := range e.found {
		t.Error(story)
	}
	t.Logf("%d states, %d ends, %d ways walked, %d left open, at most %d faults a history, in %v",
		len(e.seen), e.ends, e.runs, len(e.open), e.faults, time.Since(began).Round(time.Second))
}

func TestMistakesAreFoundInTheSmallWorld(t *testing.T) {
	for _, m := range mistakes {
		if !m.small {
			continue
		}
		t.Run(m.words, func(t *testing.T) {
			e := newExplorer(1, 60_000, m.make)
			e.explore(t)
			if len(e.found) == 0 {
				t.Fatalf("not found in %d states", len(e.seen))
			}
			t.Logf("found after %d states", len(e.seen))
		})
	}
}

func (e *explorer) run(t *testing.T, f *files) {
	said := time.Now()
	for {
		way, more := e.next()
		switch {
		case !more:
			return
		case way == nil:
			time.Sleep(time.Millisecond)
			continue
		}
		findings, _ := e.walk(t, f, way, false)
		e.arrived()
		if len(findings) > 0 {
			_, story := newExplorer(e.faults, 0, e.edit).walk(t, f, way, true)
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
