package lives

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing/synctest"
	"time"

	"jobwatch/internal/stream"
	"jobwatch/internal/testing/modelbroker"
)

// knobs say what a life is like, and how likely each trouble is: weights, beside 1,000 for each call that goes on.
type knobs struct {
	watchers, jobs, polls int
	cells                 int // CommCells; 0: one
	discover              bool
	concurrency           int
	replicated            bool

	move, crash, disk, cut                  int
	asks, miss, stale, later                int
	request, lostAck, lateMessage, occupied int
	forget, age, recreate                   int
	loseStore                               int // of the crashes, percent
	wait                                    int // let time pass though calls wait

	cluster clusterKnobs
}

// world is one life.
type world struct {
	knobs    knobs
	random   *rand.Rand
	gate     gate
	serve    commServe
	stream   *modelbroker.Stream
	watchers []*watcher
	files    *files
	lies     lies
	small    *small // the small world that is explored, if it is one

	back           int               // how old an old answer is
	late           []stream.Outgoing // messages under way
	aged           []stream.Message  // that the stream has let go of
	forgotten      []stream.Message  // by the stream
	unacknowledged map[string]bool   // of these, events whose acknowledgement had not come: they may be told again
	polls          atomic.Int64      // questions about a job, and cycles without one
	cycles         atomic.Int64
	last           time.Time // an answer was given
	healed         bool
	steps          int

	telling bool
	began   time.Time
	story   strings.Builder
	names   map[string]string // epoch => process

	script bool  // only that happens which a test says
	board  board // what is known of the cluster, if there is one
}

// moment gives a time that no other answer has, nor any that does not know its job: those are told as of now.
func (w *world) moment() time.Time {
	now := time.Now().Add(time.Millisecond)
	if !now.After(w.last) {
		now = w.last.Add(time.Millisecond)
	}
	w.last = now
	return now
}

// exact says whether each committed observation has to be told, whole.
func (w *world) exact() bool { return w.knobs.watchers == 1 && w.knobs.loseStore == 0 }

func newWorld(k knobs, random *rand.Rand, f *files) *world {
	w := &world{
		knobs: k, random: random, files: f, began: time.Now(), names: map[string]string{}, unacknowledged: map[string]bool{},
		gate: gate{comes: make(chan struct{}, 1)}, serve: commServe{jobs: make([][]facts, k.jobs), cells: k.cells},
	}
	w.stream = modelbroker.New(modelbroker.Config{Replicated: k.replicated})
	for i := range k.watchers {
		name := string(rune('a' + i))
		w.watchers = append(w.watchers, &watcher{
			name: name, path: filepath.Join(f.dir, name+".db"),
			newest: map[int64]time.Time{}, asked: map[int64]int{}, oldRow: map[int64]int{}, missRow: map[int64]int{},
		})
	}
	return w
}

// live runs a life from its begin to the rest after its last trouble.
func (w *world) live() error {
	for _, x := range w.watchers {
		w.files.fresh(x)
		w.start(x)
	}
	for synctest.Wait(); w.polls.Load() < int64(w.knobs.polls); synctest.Wait() { // a count is read when nothing moves
		if err := w.step(); err != nil {
			return err
		}
	}
	err := w.heal()
	if err == nil && w.shared() {
		w.board.wrong = w.judgedCluster()
	}
	for _, x := range w.watchers {
		if x.process != nil {
			w.stop(x.process)
		}
		w.files.keep(x)
	}
	return err
}

// step lets one thing happen, once all is at rest.
func (w *world) step() error {
	synctest.Wait()
	if w.steps++; w.steps > w.enough() {
		return fmt.Errorf("no end after %d steps", w.steps)
	}
	for _, x := range w.watchers {
		if p := x.process; p != nil && p.dead.Load() {
			w.crash(x)
			return nil
		}
	}
	if w.shared() && w.memberStep() {
		return nil
	}
	w.take(w.choose(w.options()))
	return nil
}

func (w *world) choose(options []option) option {
	sum := 0
	for _, o := range options {
		sum += o.weight
	}
	at := w.random.IntN(sum)
	for _, o := range options {
		if at -= o.weight; at < 0 {
			return o
		}
	}
	panic("unreachable")
}

// heal ends all troubles and runs on until nothing happens any more.
func (w *world) heal() error {
	w.say("all is well from now on")
	w.healed = true
	for _, x := range w.watchers {
		x.cut = false
		if x.process != nil { // another connection: an event that one has seen lost twice is not sent a third time through it
			x.process.conn.Cut()
			x.process.conn.Restore()
		}
	}
	for _, m := range w.late {
		_, _, _ = w.stream.Store(m)
	}
	w.late = nil
	if w.shared() {
		return w.healCluster()
	}
	for end := w.cycles.Load() + int64(8*len(w.watchers)); ; {
		if err := w.step(); err != nil {
			return err
		}
		if w.rests() && w.cycles.Load() >= end {
			return nil
		}
	}
}

func (w *world) rests() bool {
	synctest.Wait()
	for _, x := range w.watchers {
		if x.process == nil || x.process.dead.Load() {
			return false
		}
		if waiting, err := x.process.store.Waiting(); err != nil || len(waiting) > 0 {
			return false
		}
	}
	return len(w.gate.calls()) == 0
}

// enough is how many steps a life has at most.
func (w *world) enough() int {
	if w.shared() {
		return 6000 * w.knobs.polls
	}
	return 400 * w.knobs.polls
}

func (w *world) say(format string, values ...any) {
	if w.telling {
		fmt.Fprintf(&w.story, "%9s  %s\n", time.Since(w.began).Truncate(time.Millisecond), fmt.Sprintf(format, values...))
	}
}
