package lives

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing/synctest"
	"time"

	"jobwatch/internal/cluster"
	"jobwatch/internal/stream"
)

// clusterKnobs say what may befall the members of a cluster: weights, as knobs has them.
type clusterKnobs struct {
	on                                       bool
	pause, goOn, stop, leave, bucket, byHand int

	rest           time.Duration // until all has to be as it should be; 0: calmDown
	finishedWithin time.Duration // that a Job list goes back; 0: a day
	unnamed        int64         // a job that no configuration names; 0: none
}

// clusterise has the watchers of a life share its CommCells.
func (k *knobs) clusterise(r *rand.Rand) {
	some := func(most int) int { return max(0, r.IntN(2*most)-most) }
	k.watchers, k.cells, k.polls = 2+r.IntN(2), 1+r.IntN(2), 40
	k.jobs = k.cells + r.IntN(2)
	k.loseStore = some(60)
	k.forget, k.age, k.recreate = 0, 0, 0
	k.cluster = clusterKnobs{
		on: true, pause: some(12), goOn: 5 + r.IntN(60), stop: some(10), leave: some(6), bucket: some(4), byHand: some(20),
	}
	if k.cluster.byHand > 0 {
		k.discover, k.cluster.bucket = true, 0 // what was said, and nobody has heard yet, may go with the bucket
	}
}

// memberStep does what is the cluster's alone: a process that has stopped is gone, claims are held against what befell, and
// most beats and readings go on without further ado.
func (w *world) memberStep() bool {
	for _, x := range w.watchers {
		if p := x.process; p != nil && p.hasEnded() {
			w.departs(x)
			return true
		}
	}
	if w.board.changed {
		w.noteClaims()
	}
	var all []*call
	for _, c := range w.calls() {
		if c.what == "Since" || c.what == "Put" && !c.writesClaim() {
			all = append(all, c)
		}
	}
	if len(all) == 0 || w.random.IntN(8) == 0 {
		return false
	}
	w.release(all[w.random.IntN(len(all))], goes)
	return true
}

func (c *call) writesClaim() bool { return strings.HasPrefix(c.filter, "owner.") }

func (p *process) hasEnded() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// calls are those that wait, but for those of processes that stand still.
func (w *world) calls() []*call {
	return slices.DeleteFunc(w.gate.calls(), func(c *call) bool { return c.process.stopped() })
}

// departs: a process has come to its own end.
func (w *world) departs(x *watcher) {
	w.say("%s  has stopped", x.name)
	w.stop(x.process)
	x.leaving = false
}

func (w *world) clusterAccidents(add func(option)) {
	k := &w.knobs.cluster
	for _, x := range w.watchers {
		switch p := x.process; {
		case p == nil:
		case p.stopped():
			add(option{weight: k.goOn, do: goOn, watcher: x})
		default:
			add(option{weight: k.pause, do: standStill, watcher: x})
			add(option{weight: k.stop, do: stopCleanly, watcher: x})
			add(option{weight: k.leave, do: leaveCluster, watcher: x})
		}
	}
	add(option{weight: k.bucket, do: deleteBucket})
	add(option{weight: k.byHand, do: sayByHand, job: int64(len(w.serve.jobs))})
}

// befalls lets something happen that is the cluster's alone.
func (w *world) befalls(o option) {
	x := o.watcher
	switch o.do {
	case standStill:
		w.say("%s  stands still", x.name)
		x.process.standsStill()
	case goOn:
		w.say("%s  goes on", x.name)
		x.away = time.Now()
		x.process.goesOn()
	case stopCleanly:
		w.say("%s  is told to stop", x.name)
		x.process.cancel()
	case leaveCluster:
		w.say("%s  is told to leave the cluster", x.name)
		err := cluster.Leave(context.Background(), w.spy(), x.name)
		x.leaving = x.leaving || err == nil
	case deleteBucket:
		w.say("   the bucket is deleted")
		w.stream.DeleteBucket(bucketName)
		w.board.changed = true
	case sayByHand:
		w.saysByHand(o.job)
	default: // take has done the others
	}
}

// saysByHand has a person untrack a job, or track it again.
func (w *world) saysByHand(number int64) {
	h := cluster.Untracked
	if w.board.untracked == number {
		h = cluster.Tracked
	}
	k := cluster.JobKey{CommCell: w.serve.cellOf(number), Number: strconv.FormatInt(number, 10)}
	if err := cluster.Say(context.Background(), w.spy(), k, h); err != nil {
		panic(err)
	}
	w.say("   somebody says of %d: %s", number, h)
	if w.board.untracked = 0; h == cluster.Untracked {
		w.board.untracked = number
	}
}

// spy reads and writes the bucket for a person, at once.
func (w *world) spy() stream.Bucket {
	if w.board.conn == nil {
		w.board.conn = w.stream.Connect()
		_, _ = w.board.conn.Ready(context.Background())
	}
	return w.board.conn.Bucket(bucketName)
}

// quiet says that of a call nothing is told.
func quiet(c *call, how verdict) bool {
	return how == goes && (c.what == "Since" || c.what == "Put" && strings.HasPrefix(c.filter, "member."))
}

// calmDown is how long a cluster has, once all is well, until all has to be as it should be.
const calmDown = 4 * time.Minute

// healCluster runs on until the cluster should be at rest.
func (w *world) healCluster() error {
	for _, x := range w.watchers {
		if x.process != nil {
			x.process.goesOn()
		}
		if x.process != nil && x.leaving {
			w.crash(x) // it takes nothing more until its next start
		}
	}
	began := time.Now()
	for {
		if err := w.step(); err != nil {
			return err
		}
		calm := cmp.Or(w.knobs.cluster.rest, calmDown)
		switch passed := time.Since(began); {
		case passed > 2*calmDown:
			return fmt.Errorf("no rest: %s", w.unrest())
		case passed >= calm && w.rests():
			return nil
		}
	}
}

// unrest says why there is no rest.
func (w *world) unrest() string {
	var words []string
	for _, x := range w.watchers {
		if x.process == nil {
			words = append(words, x.name+" does not run")
			continue
		}
		if waiting, err := x.process.store.Waiting(); err != nil || len(waiting) > 0 {
			words = append(words, fmt.Sprintf("%s holds events of %v (%v)", x.name, waiting, err))
		}
	}
	for _, c := range w.gate.calls() {
		words = append(words, fmt.Sprintf("%s wants to go on with %s %s", c.process.watcher.name, c.what, c.filter))
	}
	return strings.Join(words, "; ")
}

// board is what is known of a cluster from outside.
type board struct {
	conn interface {
		Ready(context.Context) (<-chan struct{}, error)
		Bucket(string) stream.Bucket
	}
	claims    map[string]claimed
	untracked int64 // by hand; 0: none
	changed   bool  // a claim may have
	wrong     []finding

	mu     sync.Mutex
	asked  []question                      // guarded by mu
	cycles map[string]map[string]time.Time // by CommCell and watcher, the last; guarded by mu
}

// question is one that a watcher has asked a CommServe.
type question struct {
	watcher, commCell string
	job               int64 // 0: for the list
	at                time.Time
}

func (b *board) asks(q question) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked = append(b.asked, q)
}

// questions are those that were asked since a time.
func (b *board) questions(since time.Time) (all []question) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, q := range b.asked {
		if q.at.After(since) {
			all = append(all, q)
		}
	}
	return all
}

// claimed is a claim as the judge reads it.
type claimed struct {
	Instance string
	Why      string
	Term     uint64
}

func (b *board) polled(commCell, watcher string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cycles == nil {
		b.cycles = map[string]map[string]time.Time{}
	}
	if b.cycles[commCell] == nil {
		b.cycles[commCell] = map[string]time.Time{}
	}
	b.cycles[commCell][watcher] = time.Now()
}

const wrongClaim = "claimed wrongly"

// farAway is how long ago a member can have been away for another to take it for dead now: that one may hear of it late.
const farAway = 30 * time.Second

// noteClaims holds new claims against what has befallen their owners.
func (w *world) noteClaims() {
	all, err := w.spy().Entries(context.Background(), "owner.>")
	if err != nil {
		panic(err)
	}
	now := map[string]claimed{}
	for _, e := range all {
		var c claimed
		if err := json.Unmarshal(e.Value, &c); err != nil {
			panic(err)
		}
		cell := strings.TrimPrefix(e.Key, "owner.")
		now[cell] = c
		before := w.board.claims[cell]
		if before == c {
			continue
		}
		w.say("   %s is %s's now, before %s's: %s, term %d", cell, c.Instance, before.Instance, c.Why, c.Term)
		if c.Why != "death" || before.Instance == c.Instance {
			continue
		}
		for _, x := range w.watchers {
			if x.name == before.Instance && !w.wasAway(x) {
				w.board.wrong = append(w.board.wrong, finding{wrongClaim, fmt.Sprintf("%s takes %s from %s, which was never away", c.Instance, cell, x.name)})
			}
		}
	}
	w.board.claims, w.board.changed = now, false
}

func (w *world) wasAway(x *watcher) bool {
	return x.process == nil || x.process.dead.Load() || x.process.stopped() || x.cut || x.leaving || time.Since(x.away) < farAway
}

// judgedCluster says what is wrong with a cluster at rest.
func (w *world) judgedCluster() (all []finding) {
	synctest.Wait()
	all = append(all, w.board.wrong...)
	find := func(format string, values ...any) {
		all = append(all, finding{"at rest", fmt.Sprintf(format, values...)})
	}
	owns := map[string]int{}
	for _, cell := range w.serve.names() {
		var here, recently []string
		for _, x := range w.watchers {
			if x.process.part.polls(cell) {
				here = append(here, x.name)
			}
			if time.Since(w.board.cycles[cell][x.name]) < 80*time.Second {
				recently = append(recently, x.name)
			}
		}
		if len(here) != 1 || !slices.Equal(here, recently) {
			find("%s is polled by %q, and was just now by %q", cell, here, recently)
			continue
		}
		owns[here[0]]++
		if c := w.board.claims[cell]; c.Instance != here[0] {
			find("%s is polled by %s, and claimed by %q", cell, here[0], c.Instance)
		}
	}
	for _, q := range w.board.questions(time.Now().Add(-80 * time.Second)) {
		if q.job > 0 && q.job == w.board.untracked {
			find("job %d was untracked by hand, and %s asks about it", q.job, q.watcher)
			break
		}
	}
	for name, n := range owns {
		if n > 1 {
			find("%s polls %d CommCells, and others none", name, n)
		}
	}
	return all
}
