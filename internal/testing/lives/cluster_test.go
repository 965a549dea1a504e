package lives

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"jobwatch/internal/cluster"
	"jobwatch/internal/config"
	"jobwatch/internal/poller"
	"jobwatch/internal/sharing"
	"jobwatch/internal/testing/modelbroker"
)

// shared says whether the watchers of a life share its CommCells.
func (w *world) shared() bool { return w.knobs.cluster.on }

const bucketName = "JOBS_cluster"

// part is a process's part in the cluster: what the daemon has beside store, publisher and broker.
type part struct {
	p       *process
	member  *cluster.Member
	work    *sharing.Work
	refused error // Run's; read once the process has ended

	mu     sync.Mutex
	ctx    context.Context    // of the pollers; nil: they do not run yet; guarded by mu, as the rest is
	runs   map[string]*polled // by CommCell
	losing map[string]bool    // keys whose writing is under way, and whose answer is lost
}

// polled is a CommCell's poller, which polls, or only takes the looks that are owed.
type polled struct {
	*poller.Poller
	here  bool
	stop  context.CancelFunc
	ended chan struct{}
}

// newPart is called before anything waits at the gate for the process.
func newPart(p *process) *part {
	t := &part{p: p, runs: map[string]*polled{}, losing: map[string]bool{}}
	id, err := p.store.ID()
	if err != nil {
		panic(err)
	}
	t.work = &sharing.Work{Store: p.store, Pollers: t, Log: slog.New(slog.DiscardHandler)}
	t.member = cluster.New(cluster.Config{
		Instance: p.watcher.name, Store: id, Epoch: p.store.Epoch(), Version: "1", Host: p.watcher.name,
		Bucket: p.world.lies.inBucket(p, p.conn.Bucket(bucketName)), Work: p.world.lies.working(p, works{t.work, p}),
		Log: slog.New(slog.DiscardHandler),
	})
	return t
}

// run does what the daemon does: publisher and broker are needed until the member has handed over.
func (t *part) run(ctx context.Context) {
	defer close(t.p.ended)
	behind, stop := context.WithCancel(context.Background())
	defer stop()
	var group sync.WaitGroup
	group.Go(func() { _ = t.p.publisher.Run(behind) })
	t.begin(ctx)
	if t.refused = t.member.Run(ctx); t.refused != nil {
		t.p.dead.Store(true)
		t.p.cancel()
	}
	for _, r := range t.all() {
		<-r.ended
	}
	stop()
	group.Wait()
}

// begin has the pollers run; none polls yet.
func (t *part) begin(ctx context.Context) {
	t.mu.Lock()
	t.ctx = ctx
	t.mu.Unlock()
	for _, cell := range t.Cells() {
		_, _ = t.Poll(cell.Name, false)
	}
}

// Cells are those of the configuration.
func (t *part) Cells() (all []config.CommCell) {
	for _, name := range t.p.world.serve.names() {
		all = append(all, config.CommCell{Name: name})
	}
	return all
}

// Poll does what the daemon's does.
func (t *part) Poll(commCell string, here bool) (wait func(), err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	before := t.runs[commCell]
	if before != nil && before.here == here {
		return func() {}, nil
	}
	ctx, stop := context.WithCancel(t.ctx)
	r := &polled{poller.New(t.p.polling(commCell)), here, stop, make(chan struct{})}
	t.runs[commCell] = r
	if before != nil {
		before.stop()
	}
	run := r.Run
	if t.p.world.small != nil {
		run = func(ctx context.Context) error { return t.p.pollSmall(ctx, r.Poller) }
	}
	if !here {
		run = t.p.world.lies.ofAnother(t.p, r.RunOwed)
	}
	go func() {
		defer close(r.ended)
		if before != nil {
			<-before.ended
		}
		for ctx.Err() == nil {
			_ = run(ctx)
			sleep(ctx, 10*time.Second)
		}
	}()
	if before == nil {
		return func() {}, nil
	}
	return func() { <-before.ended }, nil
}

// Poller does what the daemon's does.
func (t *part) Poller(commCell string) *poller.Poller {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r := t.runs[commCell]; r != nil && r.here {
		return r.Poller
	}
	return nil
}

func (t *part) polls(commCell string) bool { return t.Poller(commCell) != nil }

func (t *part) all() (all []*polled) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, r := range t.runs {
		all = append(all, r)
	}
	return all
}

func (t *part) cycled(commCell string) {
	if t.polls(commCell) {
		t.p.world.board.polled(commCell, t.p.watcher.name)
	}
}

// works is what a member works with. A process that is dead waits for nothing.
type works struct {
	*sharing.Work
	p *process
}

func (w works) Drain(ctx context.Context, commCell string) {
	if !w.p.dead.Load() {
		w.Work.Drain(ctx, commCell)
	}
}

// losesAnswer has the answer to what goes on now be lost, and forgetsAnswer loses it.
func (t *part) losesAnswer(c modelbroker.Call) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.losing[c.Operation+c.Subject] = true
}

func (t *part) forgetsAnswer(c modelbroker.Call) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	lost := t.losing[c.Operation+c.Subject]
	delete(t.losing, c.Operation+c.Subject)
	return lost
}

// A process that is stopped (SIGSTOP) stands still, and time passes for all others.

func (p *process) standsStill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.still == nil {
		p.still = make(chan struct{})
	}
}

func (p *process) goesOn() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.still != nil {
		close(p.still)
		p.still = nil
	}
}

func (p *process) stopped() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.still != nil
}

// stands waits until the process goes on.
func (p *process) stands() {
	p.mu.Lock()
	still := p.still
	p.mu.Unlock()
	if still != nil {
		<-still
	}
}
