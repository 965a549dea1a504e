package lives

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"jobwatch/internal/store"
	"jobwatch/internal/testing/slow"
)

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp(memoryDir(), "lives")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		root = dir
		ballast := make([]byte, 1<<29) // never touched: garbage is collected each half a gigabyte, for lives leave nothing
		defer runtime.KeepAlive(ballast)
		return m.Run()
	}())
}

var root string // where the stores lie

// memoryDir is a folder in memory, where there is one.
func memoryDir() string {
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		return "/dev/shm"
	}
	return ""
}

func setting(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return otherwise
}

// drawn gives the knobs of a seed. Each trouble is in about half of the lives.
func drawn(r *rand.Rand) knobs {
	k := knobs{watchers: 1 + r.IntN(3)/2, jobs: 1 + r.IntN(2), polls: 100, concurrency: 1}
	k.discover, k.replicated = r.IntN(2) == 0, r.IntN(2) == 0
	some := func(most int) int { return max(0, r.IntN(2*most)-most) }
	k.move = 4 + r.IntN(20)
	k.crash = 1 + some(6)
	k.disk, k.cut, k.asks, k.later = some(10), some(10), some(40), some(300)
	k.request, k.lostAck, k.lateMessage, k.occupied = some(60), some(300), some(60), some(60)
	k.wait = some(10)
	k.miss, k.stale = some(150), some(150)
	if k.watchers == 2 {
		k.loseStore = some(80)
	} else if r.IntN(3) == 0 {
		k.loseStore = 60
	}
	if k.exact() {
		k.forget, k.age, k.recreate = some(5), some(5), some(2)
		if k.forget > 0 {
			k.age = 0 // what was forgotten before the first message that is left cannot be told from what has aged
		}
	}
	return k
}

func (k *knobs) exact() bool { return k.watchers == 1 && k.loseStore == 0 }

// outcome of a life.
type ending struct {
	seed     uint64
	findings []finding
	err      error
	story    string
	events   int
	steps    int
}

func (e *ending) bad() bool { return e.err != nil || len(e.findings) > 0 }

// kind is what kind of lives are lived.
type kind struct {
	cluster bool         // its watchers share CommCells
	edit    func(*world) // makes a mistake; nil: none
}

// lived runs the life of a seed.
func lived(t *testing.T, seed uint64, f *files, telling bool, how kind) (e ending) {
	e.seed = seed
	synctest.Test(t, func(*testing.T) {
		r := rand.New(rand.NewPCG(seed, 1))
		k := drawn(r)
		if how.cluster {
			k.clusterise(rand.New(rand.NewPCG(seed, 15)))
		}
		w := newWorld(k, r, f)
		w.telling = telling
		if how.edit != nil {
			how.edit(w)
		}
		w.say("seed %d: %+v", seed, w.knobs)
		e.err = w.live()
		if e.err == nil {
			e.findings = append(w.judged(), w.board.wrong...)
		}
		e.events, e.steps = len(w.aged)+len(w.stream.Messages()), w.steps
		if telling {
			e.story = w.story.String() + "the stream:\n" + w.tells()
		}
	})
	return e
}

func (e *ending) String() string {
	text := fmt.Sprintf("seed %d, %d events", e.seed, e.events)
	if e.err != nil {
		text += "\n  " + e.err.Error()
	}
	for _, f := range e.findings {
		text += "\n  " + f.String()
	}
	return text
}

func folder(t *testing.T) *files {
	t.Helper()
	dir, err := os.MkdirTemp(root, "world")
	if err != nil {
		t.Fatal(err)
	}
	f := &files{dir: dir, left: map[string]*store.Store{}}
	t.Cleanup(func() { f.close(); os.RemoveAll(dir) })
	return f
}

// many runs lives until one is bad, or all have been lived, and gives the bad ones.
func many(t *testing.T, first, count int, how kind, most int) (bad []ending, lives, events int64) {
	var mu sync.Mutex
	var next, told atomic.Int64
	t.Run("lives", func(t *testing.T) {
		for range runtime.GOMAXPROCS(0) {
			t.Run("", func(t *testing.T) {
				t.Parallel()
				f := folder(t)
				for {
					i := next.Add(1) - 1
					mu.Lock()
					enough := len(bad) >= most
					mu.Unlock()
					if i >= int64(count) || enough {
						return
					}
					e := lived(t, uint64(int64(first)+i), f, false, how)
					told.Add(int64(e.events))
					if e.bad() {
						mu.Lock()
						bad = append(bad, e)
						mu.Unlock()
					}
				}
			})
		}
	})
	return bad, min(next.Load(), int64(count)), told.Load()
}

func TestLives(t *testing.T) { livedAll(t, kind{}, "JOBWATCH_SEED", "JOBWATCH_LIVES", 60) }

func TestLivesOfACluster(t *testing.T) {
	slow.Test(t, "3 s", "whole lives of watchers that share CommCells")
	livedAll(t, kind{cluster: true}, "JOBWATCH_CLUSTER_SEED", "JOBWATCH_CLUSTER_LIVES", 20)
}

// livedAll lives the life of one seed, as a story, or many.
func livedAll(t *testing.T, how kind, oneSeed, lives string, usually int) {
	if seed := setting(oneSeed, -1); seed >= 0 {
		e := lived(t, uint64(seed), folder(t), true, how)
		t.Log("\n" + e.story)
		if e.bad() {
			t.Error(e.String())
		}
		return
	}
	began := time.Now()
	first, count := setting("JOBWATCH_FIRST", 1), setting(lives, usually)
	var done, events int64
	for from := first; from < first+count && !t.Failed(); from += chunk {
		bad, lived, told := many(t, from, min(chunk, first+count-from), how, 5)
		for _, e := range bad {
			t.Errorf("%s\n  its story: %s=%d go test ./internal/testing/lives -run '%s$' -v", e.String(), oneSeed, e.seed, t.Name())
		}
		done, events = done+lived, events+told
		t.Logf("seeds %d to %d: %d lives, %d events, %.0f lives a minute",
			first, int64(first)+done-1, done, events, float64(done)/time.Since(began).Minutes())
	}
}

const chunk = 500 // lives, after which it is said how far we are

// TestASeedRepeatsItsStory is of lives without a cluster: of what is ready at one moment a member takes either first.
func TestASeedRepeatsItsStory(t *testing.T) {
	f := folder(t)
	for _, seed := range []uint64{0, 1, 2, 3, 4, 5, 6, 7, 25, 26} {
		first, second := lived(t, seed, f, true, kind{}), lived(t, seed, f, true, kind{})
		if first.story != second.story {
			t.Errorf("seed %d has two stories:\n%s", seed, firstDifference(first.story, second.story))
		}
	}
}
