package lives

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/robfig/cron/v3"

	"jobwatch/internal/event"
	"jobwatch/internal/failpoint"
	"jobwatch/internal/job"
	"jobwatch/internal/poller"
	"jobwatch/internal/publish"
	"jobwatch/internal/store"
	"jobwatch/internal/store/storetest"
	"jobwatch/internal/testing/modelbroker"
)

// watcher is a file, and the process that runs on it just now.
type watcher struct {
	name    string
	path    string
	process *process     // nil: none runs
	left    *store.Store // of the process that crashed, with the file still open
	copied  *storetest.Content
	before  storetest.Content // the last transaction, where a mistake wants it back
	cut     bool              // from the broker
	away    time.Time         // when it could last not do as it would, in a cluster
	leaving bool              // it was told to leave the cluster

	answers []*answer // in the order in which they were given to it
	settled int       // so many of them were given before the last start
	newest  map[int64]time.Time
	asked   map[int64]int // questions
	oldRow  map[int64]int // old answers in a row
	missRow map[int64]int // answers that did not know the job, in a row
}

// process is one run of jobwatch, from a start to a crash.
type process struct {
	world     *world
	watcher   *watcher
	store     *store.Store
	conn      *modelbroker.Conn
	publisher *publish.Publisher
	cancel    context.CancelFunc
	ended     chan struct{}
	part      *part         // in a cluster
	still     chan struct{} // closed when it goes on; nil: it was not stopped; guarded by mu

	dead  atomic.Bool // nothing that it does counts any more
	next  verdict     // of the transaction that begins
	broke atomic.Bool // a transaction has failed in this cycle
	asked atomic.Bool // about a job, in this cycle

	saw    int    // in the small world: the last observation, from 1
	memory memory // there

	mu    sync.Mutex
	polls []*answer // given in this cycle, of polls that have not ended
}

var (
	errCrashed = errors.New("the process is dead")
	errDisk    = errors.New("the disk is gone")
)

const keepSent = 24 * time.Hour

func (w *world) start(x *watcher) {
	st := x.opened()
	st.KeepSent = keepSent
	p := &process{world: w, watcher: x, store: st, conn: w.stream.Connect(), ended: make(chan struct{})}
	if w.shared() {
		p.part = newPart(p)
	}
	storetest.Hook(st, p.moment)
	p.conn.Gate = p.request
	if x.cut {
		p.conn.Cut()
	}
	c := publish.Config{Store: st, Broker: hearing{w.lies.broker(p, p.conn), p}, Log: slog.New(slog.DiscardHandler), Round: w.round()}
	if p.part != nil {
		c.Follows, c.Sibling = p.part.polls, p.part.member.Sibling
	}
	p.publisher = publish.New(c)
	x.process = p
	p.settleCommitted()
	var ctx context.Context
	ctx, p.cancel = context.WithCancel(context.Background())
	if p.part != nil {
		p.part.work.Publisher = p.publisher
		x.away = time.Now()
		go p.part.run(ctx)
		return
	}
	go p.run(ctx)
}

// round is how often a publisher reads the stream on: in a world where time stands still, never. It ends at a moment at
// which no wait before another try ends: of two things that are ready at once, either comes first.
func (w *world) round() time.Duration {
	if w.small != nil && !w.shared() {
		return 1000 * time.Hour
	}
	return time.Minute + 7*time.Millisecond
}

// opened gives the watcher's store, as it is after a crash.
func (x *watcher) opened() (st *store.Store) {
	var err error
	if x.left != nil {
		st, err = storetest.Reopen(x.left, event.NewMinter(nil))
	} else if st, err = store.Open(x.path, event.NewMinter(nil)); err == nil {
		storetest.NoSync(st)
	}
	if err != nil {
		panic(err)
	}
	x.left = nil
	return st
}

// files are a place where watchers' stores lie, and those of the life before, still open.
type files struct {
	dir  string
	left map[string]*store.Store
}

// fresh gives a watcher a file in which nothing has happened.
func (f *files) fresh(x *watcher) {
	if before := f.left[x.path]; before != nil {
		x.left = before
		x.holds(storetest.Content{})
		return
	}
	_ = os.Remove(x.path)
}

// keep leaves a watcher's file to the next life.
func (f *files) keep(x *watcher) { f.left[x.path] = x.left }

func (f *files) close() {
	for _, left := range f.left {
		if left != nil {
			_ = left.Close()
		}
	}
}

// content copies what the file of a watcher that has crashed holds.
func (x *watcher) content() *storetest.Content {
	all, err := storetest.Copy(x.left)
	if err != nil {
		panic(err)
	}
	return &all
}

// holds puts that into the file of a watcher that has crashed.
func (x *watcher) holds(all storetest.Content) {
	var err error
	if x.left, err = storetest.Restore(x.left, all, event.NewMinter(nil)); err != nil {
		panic(err)
	}
}

// close lets go of the file.
func (x *watcher) close() {
	if err := x.left.Close(); err != nil {
		panic(err)
	}
	x.left = nil
}

// run does what the daemon does.
func (p *process) run(ctx context.Context) {
	defer close(p.ended)
	c := p.polling("prod")
	var group sync.WaitGroup
	group.Go(func() { _ = p.publisher.Run(ctx) })
	for p.conn.Connected() && ctx.Err() == nil {
		select {
		case <-p.publisher.CaughtUp():
		case <-time.After(100 * time.Millisecond):
			continue
		case <-ctx.Done():
		}
		break
	}
	if p.world.small != nil {
		for !p.dead.Load() && p.store.Configure("prod", c.Jobs) != nil {
		}
		p.pollAgainAndAgain(ctx, poller.New(c).Cycle)
	}
	for ctx.Err() == nil { // Run ends where it cannot configure its jobs; whoever runs the watcher starts it again
		_ = poller.New(c).Run(ctx)
		sleep(ctx, 10*time.Second)
	}
	group.Wait()
}

// polling says how a CommCell is polled.
func (p *process) polling(commCell string) poller.Config {
	k := &p.world.knobs
	c := poller.Config{
		CommCell: commCell, Source: p.world.lies.source(p, source{p, commCell}), Store: p.store, Log: slog.New(slog.DiscardHandler),
		Meter: meter{p, commCell}, Schedule: cron.Every(30 * time.Second), Discover: k.discover, FinishedWithin: 24 * time.Hour,
		KeepFinished: 7 * 24 * time.Hour, Concurrency: k.concurrency, LostAfter: 2 * time.Minute,
	}
	if p.world.small != nil {
		c.Source, c.LostAfter = smallSource{source{p, commCell}}, 0
	}
	if p.world.serve.guid != "" {
		c.Identify = source{p, commCell}.identify
	}
	if k.cluster.finishedWithin > 0 {
		c.FinishedWithin = k.cluster.finishedWithin
	}
	for i := range p.world.serve.jobs {
		if number := int64(i + 1); number == k.cluster.unnamed {
			continue
		} else if !k.discover && p.world.serve.cellOf(number) == commCell {
			c.Jobs = append(c.Jobs, number)
		}
	}
	return c
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// stop ends the process as a crash does: what it has not done by now it never does.
func (w *world) stop(p *process) {
	p.dead.Store(true)
	for _, c := range w.gate.calls() {
		if c.process == p && c.what == "store" {
			w.gate.release(c, crashBefore)
		}
	}
	p.goesOn()
	p.cancel()
	<-p.ended
	p.watcher.process, p.watcher.left = nil, p.store
	storetest.Hook(p.store, nil)
}

// gather is called by who is about to begin a transaction.
func (p *process) gather() {
	if p.dead.Load() {
		return
	}
	if p.world.lies.onCommit != nil {
		p.world.lies.onCommit(p)
	}
	p.next, _ = p.world.gate.wait(context.Background(), &call{process: p, what: "store"})
}

// moment is called at each of a transaction.
func (p *process) moment(at failpoint.Point) error {
	switch {
	case at == failpoint.BeforeTransaction:
		p.gather()
		return nil
	case p.dead.Load():
		return errCrashed
	case at == failpoint.BeforeCommit && p.next == crashBefore, at == failpoint.AfterCommit && p.next == crashAfter:
		p.dead.Store(true)
		return errCrashed
	case at == failpoint.BeforeCommit && p.next == fails, at == failpoint.AfterCommit && p.next == lost:
		p.broke.Store(true)
		return errDisk
	}
	return nil
}

// meter is told when a poll has ended.
type meter struct {
	p        *process
	commCell string
}

// Polled is called after what a poll has found is on the disk.
func (m meter) Polled(result string) {
	if m.p.world.knobs.concurrency == 1 && (result == "ok" || result == "unchanged") {
		m.p.settle(true)
	}
}

func (m meter) CycleTook(time.Duration) {
	if m.p.part != nil {
		m.p.part.cycled(m.commCell)
	}
	m.p.settle(!m.p.broke.Swap(false) && !m.p.dead.Load())
	m.p.world.cycles.Add(1)
	if !m.p.asked.Swap(false) {
		m.p.world.polls.Add(1)
	}
}

func (meter) PollTook(time.Duration)                {}
func (meter) TickSkipped()                          {}
func (meter) Committed([]job.Change, *job.Snapshot) {}
func (meter) Detected(time.Duration)                {}

// settle says whether the polls that have not ended count.
func (p *process) settle(certain bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, a := range p.polls {
		a.certain = certain
	}
	p.polls = nil
}

// settleCommitted finds the answers that were committed just before a crash.
func (p *process) settleCommitted() {
	if !p.world.exact() {
		return
	}
	x := p.watcher
	for _, a := range x.answers[x.settled:] {
		if a.certain || a.missing {
			continue
		}
		known, err := p.store.Recall(job.ID{CommCell: "prod", Number: a.job})
		if err != nil {
			panic(err)
		}
		a.certain = known.Asked.Equal(a.asked) && !a.old
	}
	x.settled = len(x.answers)
}
