package lives

import (
	"bytes"
	"context"
	"fmt"
	"hash/maphash"
	"maps"
	"math/rand/v2"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
	"jobwatch/internal/stream/modelbroker"
)

// The small world: two watchers, one job, three observations, and at most two faults, a crash, an acknowledgement that
// is lost, or a message that the stream forgets. Every interleaving of its steps is explored, each state once. A step is
// an observation, a transaction, and the begin or the end of a publish; what a watcher reads of the stream it reads at
// once. Time stands still, so that two ways to a state are one.

const observations = 3

// small is what the small world adds to a world.
type small struct {
	faults   int // left
	observed int
}

// truth of the n-th observation.
func (w *world) truth(n int) facts {
	at := w.began.Add(time.Duration(n) * time.Second)
	f := facts{state: "Running", phase: "Scan", began: w.began, at: at}
	switch {
	case n == 1:
		f.phase = "Backup"
	case n >= 2:
		f.state, f.phase, f.ended, f.at = "Completed", "", true, w.began.Add(2*time.Second)
	}
	return f
}

// pollAgainAndAgain is loop 1 in a world without time.
func (p *process) pollAgainAndAgain(ctx context.Context, poll func(context.Context) error) {
	for ctx.Err() == nil && !p.dead.Load() {
		_ = poll(ctx)
	}
}

// smallSource is the CommServe of the small world.
type smallSource struct{ source }

func (s smallSource) JobDetails(ctx context.Context, number int64) (job.Observation, error) {
	w := s.p.world
	if _, err := w.gate.wait(ctx, &call{process: s.p, what: "details", job: number}); err != nil {
		return job.Observation{}, err
	}
	n := w.small.observed
	w.small.observed++
	f := w.truth(n)
	w.serve.jobs[number-1] = []facts{f}
	at := w.began.Add(time.Duration(n) * time.Second)
	s.p.saw = n + 1
	s.p.looksAt(n)
	a := &answer{job: number, facts: f, asked: at, answered: at.Add(500 * time.Millisecond)}
	s.p.given(a)
	return job.Observation{Snapshot: f.snapshot(number), Asked: a.asked, Answered: a.answered}, nil
}

// mind is what a process of the small world remembers beside its store and what waits at the gate. Of its two loops that
// is what they have read and heard since they were last at rest: the poller when it asks, the publisher when nothing
// waits, or anew when it begins a run of events. While they are at rest nothing that they remember matters.
type mind struct {
	mu                sync.Mutex
	poller, publisher strings.Builder   // guarded by mu
	committed         bool              // a transaction has ended since the poller's part was written
	revision          uint64            // of what the poller knows
	before, stored    uint64            // of a publish: the last of the stream before it; where it stands now, 0: it was refused
	places            map[uint64]string // acknowledged, by stream sequence
	publishing        int               // the last publish that has come to the gate
	inRun             bool              // an event was just acknowledged: the next may be of the same run
	from              uint64            // the last of the stream when the run began
}

var theJob = job.ID{CommCell: "prod", Number: 1}

// knows gives what the store says of the job now, but for how often that has changed.
func (p *process) knows() string {
	known, err := p.store.Recall(theJob)
	if err != nil {
		panic(err)
	}
	sent, err := p.store.Sent(theJob)
	if err != nil {
		panic(err)
	}
	text := fmt.Sprint(known)
	return fmt.Sprintf("%s %v\n", text[:strings.LastIndexByte(text[:strings.LastIndexByte(text, ' ')], ' ')], sent)
}

// looksAt notes that the poller has got an answer.
func (p *process) looksAt(n int) {
	p.mind.mu.Lock()
	defer p.mind.mu.Unlock()
	p.mind.revision = p.store.Revision(theJob)
	fmt.Fprintf(&p.mind.poller, "sees %d, knowing %s", n, p.knows())
}

// reads notes that the publisher reads the stream, and what it knows then.
func (p *process) reads(what string) {
	p.mind.mu.Lock()
	defer p.mind.mu.Unlock()
	if what == "Last" { // it begins to settle a job, and whatever it has done is done
		p.mind.publisher.Reset()
	}
	fmt.Fprintf(&p.mind.publisher, "%s of %s, knowing %s", what, p.world.streamText(), p.knows())
}

// wakes notes that a call goes on.
func (p *process) wakes(c *call, how verdict) {
	p.mind.mu.Lock()
	defer p.mind.mu.Unlock()
	p.mind.inRun = false
	switch c.what {
	case "details":
		p.mind.poller.Reset()
		return
	case "store":
		p.mind.committed = true
		if p.publishes(p.world.gate.calls()) {
			return // it was the poller's
		}
	case "Publish":
		p.mind.before = p.world.lastSequence()
		return
	case "published":
		p.mind.inRun = how == goes && p.mind.stored > 0
		if p.mind.inRun {
			p.mind.acknowledged(p.mind.stored, c.message.ID)
		}
	}
	fmt.Fprintf(&p.mind.publisher, "%s %d\n", c.what, how)
}

// hasPublished notes what came of a publish.
func (p *process) hasPublished(id string) {
	p.mind.mu.Lock()
	defer p.mind.mu.Unlock()
	p.mind.stored = 0
	if last := p.world.lastSequence(); last > p.mind.before {
		p.mind.stored = last
	}
	fmt.Fprintf(&p.mind.publisher, "%s at %d\n", id, p.mind.stored)
}

// acknowledged notes a place, as the publisher does: where another event had it, the stream has gone back.
func (m *mind) acknowledged(at uint64, id string) {
	if before := m.places[at]; m.places == nil || before != "" && before != id {
		m.places = map[uint64]string{}
	}
	m.places[at] = id
}

// begins says whether a publish is the first of a run.
func (m *mind) begins(c *call) bool {
	comes := c.arrived != m.publishing
	m.publishing = c.arrived
	return comes && !m.inRun
}

// publishes says whether a publish of the process is under way.
func (p *process) publishes(calls []*call) bool {
	return slices.ContainsFunc(calls, func(c *call) bool { return c.process == p && (c.what == "Publish" || c.what == "published") })
}

// rests notes which loops are at rest.
func (p *process) rests(calls []*call) {
	p.mind.mu.Lock()
	defer p.mind.mu.Unlock()
	if p.mind.committed && p.mind.poller.Len() > 0 { // what it has committed was refused, or it waits for its turn
		p.mind.revision = p.store.Revision(theJob)
		p.mind.poller.WriteString("knowing " + p.knows())
	}
	p.mind.committed = false
	writes := p.store.Gathered()
	asks := slices.ContainsFunc(calls, func(c *call) bool { return c.process == p && c.what == "details" })
	if asks {
		p.mind.poller.Reset()
	} else {
		writes--
	}
	begins := slices.ContainsFunc(calls, func(c *call) bool { return c.process == p && c.what == "Publish" && p.mind.begins(c) })
	if begins || writes == 0 && !p.publishes(calls) {
		p.mind.publisher.Reset()
		p.mind.from = p.world.lastSequence()
	}
	if begins {
		fmt.Fprintf(&p.mind.publisher, "a run of %s\n", p.outbox())
	}
}

// outbox names what waits to be published.
func (p *process) outbox() (ids []string) {
	due, err := p.store.Due(theJob)
	if err != nil {
		panic(err)
	}
	for _, row := range due.Rows {
		id, _, err := event.Address("", theJob, row.Event)
		if err != nil {
			panic(err)
		}
		ids = append(ids, id)
	}
	return ids
}

// hears gives what the process may have heard of another since its run began, which messages it knows for its own, and
// whether what the poller knows is still so.
func (p *process) hears() string {
	var text strings.Builder
	sent, err := p.store.Sent(theJob)
	if err != nil {
		panic(err)
	}
	heard := uint64(0)
	for _, m := range p.world.stream.Messages() {
		switch {
		case p.store.Minted(m.ID):
			fmt.Fprintf(&text, "its own: %d\n", m.Sequence)
		case m.Sequence > max(p.mind.from, sent.Stream):
			heard = m.Sequence
		}
	}
	for _, at := range slices.Sorted(maps.Keys(p.mind.places)) {
		fmt.Fprintf(&text, "place %d=%s\n", at, p.mind.places[at])
	}
	current := p.mind.poller.Len() > 0 && p.mind.revision == p.store.Revision(theJob)
	fmt.Fprintf(&text, "hears %d, current: %v\n", heard, current)
	return text.String()
}

func (w *world) lastSequence() uint64 {
	all := w.stream.Messages()
	if len(all) == 0 {
		return 0
	}
	return all[len(all)-1].Sequence
}

func (w *world) streamText() string {
	var text strings.Builder
	for _, m := range w.stream.Messages() {
		fmt.Fprintf(&text, "%d=%s ", m.Sequence, m.ID)
	}
	return text.String()
}

// steps are what may happen next in the small world.
func (w *world) smallOptions() (all []option) {
	s := w.small
	calls := w.gate.calls()
	for _, c := range calls {
		if c.what != "details" || s.observed < observations {
			all = append(all, option{do: release, call: c})
		}
	}
	for _, x := range w.watchers {
		if x.process == nil {
			all = append(all, option{do: start, watcher: x})
		}
	}
	if len(all) == 0 || s.faults == 0 {
		return all
	}
	for _, c := range calls {
		switch c.what {
		case "store":
			all = append(all, option{do: release, call: c, how: crashAfter})
		case "published":
			all = append(all, option{do: release, call: c, how: lost})
		}
	}
	for _, x := range w.watchers {
		if x.process != nil {
			all = append(all, option{do: crash, watcher: x})
		}
	}
	if len(w.stream.Messages()) > 0 {
		all = append(all, option{do: forget})
	}
	return all
}

func (w *world) smallStep(o option) {
	switch o.do {
	case release:
		if o.how != goes {
			w.small.faults--
		}
		o.call.process.wakes(o.call, o.how)
		w.release(o.call, o.how)
	case crash:
		w.small.faults--
		w.say("%s  CRASHES", o.watcher.name)
		w.stop(o.watcher.process)
	case forget:
		w.small.faults--
		w.say("   the stream forgets its last one, and both watchers connect anew")
		held := w.stream.Messages()
		w.forgotten = append(w.forgotten, held[len(held)-1])
		w.stream.Forget(1)
		for _, x := range w.watchers {
			if x.process != nil {
				x.process.conn.Cut()
				x.process.conn.Restore()
			}
		}
	default:
		w.take(o)
	}
	w.settles()
}

// settles waits until nothing moves any more but what waits at the gate.
func (w *world) settles() {
	synctest.Wait()
	time.Sleep(300 * time.Millisecond) // a try after an error waits for less
	synctest.Wait()
	for _, x := range w.watchers {
		if p := x.process; p != nil && p.dead.Load() {
			w.say("%s  CRASHES", x.name)
			w.stop(p)
		}
	}
	for _, x := range w.watchers {
		if x.process != nil {
			x.process.rests(w.gate.calls())
		}
	}
}

var ackedAt = regexp.MustCompile(`"ackAt":[0-9]+`)

// state is all that what comes can depend on; ids in the order of their appearance, times left out. Which watcher is
// which makes no difference.
func (w *world) state() string {
	var common strings.Builder
	fmt.Fprintf(&common, "%d observed, %d faults left\n%s\n", w.small.observed, w.small.faults, w.streamText())
	for _, m := range w.forgotten {
		fmt.Fprintf(&common, "forgotten %s\n", m.ID)
	}
	a, b := w.stateOf(w.watchers[0]), w.stateOf(w.watchers[1])
	return min(renamed(common.String()+a+b), renamed(common.String()+b+a))
}

func (w *world) stateOf(x *watcher) string {
	var text strings.Builder
	for _, c := range w.gate.calls() {
		if c.process.watcher == x {
			fmt.Fprintf(&text, "%s %s %d\n", c.what, c.message.ID, c.message.ExpectLast)
		}
	}
	p := x.process
	if p == nil {
		return "down\n" + content(x.left.Each)
	}
	fmt.Fprintf(&text, "has seen %d, knows %s%s%s%s%s",
		p.saw, p.knows(), content(p.store.Each), p.mind.poller.String(), p.mind.publisher.String(), p.hears())
	return text.String()
}

// renamed gives each id the number of its first appearance.
func renamed(text string) string {
	const epoch, number = 16, 12 // characters, a hyphen between
	var short strings.Builder
	short.Grow(len(text))
	names := map[string]string{}
	rest := text
	for {
		at := strings.Index(rest, "-"+strings.Repeat("0", number-3)) // a small world mints fewer than a thousand
		if at < epoch {
			short.WriteString(rest)
			return short.String()
		}
		id := rest[at-epoch : at+1+number]
		if names[id] == "" {
			names[id] = fmt.Sprint("e", len(names))
		}
		short.WriteString(rest[:at-epoch])
		short.WriteString(names[id])
		rest = rest[at+1+number:]
	}
}

func content(each func(func(bucket, key, value []byte)) error) string {
	var all bytes.Buffer
	err := each(func(bucket, key, value []byte) {
		switch string(bucket) {
		case "sent":
			value = value[8:] // when it was acknowledged
		case "jobs":
			value = value[bytes.IndexByte(value, ',')+1:] // how often it has changed
		}
		fmt.Fprintf(&all, "%s %q %q\n", bucket, key, ackedAt.ReplaceAll(value, nil))
	})
	if err != nil {
		panic(err)
	}
	return all.String()
}

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
