// Package poller is loop 1: on a schedule it asks a CommServe about its jobs, compares each answer
// with what was told, and commits what changed. One Poller follows one CommCell.
package poller

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/robfig/cron/v3"
	"golang.org/x/sync/errgroup"

	"jobwatch/internal/commvault"
	"jobwatch/internal/job"
	"jobwatch/internal/limiter"
	"jobwatch/internal/store"
)

// Source is what is asked: a commvault.Client.
type Source interface {
	// JobDetails asks for one job. A nil error is an observation.
	JobDetails(ctx context.Context, number int64) (job.Observation, error)
	// List yields the active jobs and those that finished within a time, some at a time.
	List(ctx context.Context, finishedWithin time.Duration, yield func([]commvault.Line) error) error
}

// Config says what a Poller follows, and how.
type Config struct {
	CommCell string
	Source   Source
	Store    *store.Store
	Schedule cron.Schedule
	Log      *slog.Logger // default slog.Default()

	Identify func(context.Context) (guid string, err error) // asks which CommServe it is; nil: nobody does
	GUID     string                                         // of the one wanted; "": the first one met

	Jobs           []int64       // polled in each cycle, whatever becomes of them
	Discover       bool          // track what the Job list names
	Filter         Filter        // which of them
	FinishedWithin time.Duration // how far back the list goes, or further: to the last one read
	Sweep          Sweep         // which of them a cycle polls
	FullRefresh    time.Duration // with SweepList: each unfinished job is polled so often at least; default 10m
	KeepFinished   time.Duration // a finished job's snapshot is forgotten after this; 0: never
	Concurrency    int           // requests under way at once, at most; default 8
	RateLimit      float64       // requests a second; 0: none
	Timeout        time.Duration // that the Source gives one request, for FreshUntil to judge by
	StallAfter     time.Duration // an active job without progress for so long is stalled; 0: none is
	LostAfter      time.Duration // a job not known for so long, and three times in a row, is lost; 0: none is
	Meter          Meter         // may be nil

	Feed      Feed          // names jobs that have just changed; may be nil
	FeedEvery time.Duration // how often it is read; 0: never
}

// Poller follows one CommCell.
type Poller struct {
	Config
	Counts Counts

	id           job.ID // of the CommCell itself
	began        time.Time
	beganAt      int64 // the same by our clock as it was then, in Unix nanoseconds
	limiter      *limiter.Limiter
	lessLogged   bool      // the log says that less is asked; limitChanged's alone
	holdLogged   time.Time // the hold that was last logged
	highWater    highWaterMark
	filterJudged bool      // the filter has been judged
	forgot       time.Time // when finished jobs were last forgotten
	probed       int       // which job was last asked as a probe
	lines        int       // lines of the Job list in this cycle
	tracked      int       // jobs in the last cycle
	failedLists  int       // in a row that failed
	allUnknown   bool      // the last cycle found that the CommServe has forgotten everything
	repeats      repeats
	requested    chan job.ID
	feed         feed

	identified atomic.Bool // the CommServe is the one wanted, since it last answered

	mu     sync.Mutex
	cached map[int64]*cachedJob // guarded by mu; an entry itself by the goroutine that polls the job
	ended  map[int64]job.Text   // the finished states that lines name, of the jobs above; guarded by mu
	round  uint32               // counts the lists, see cachedLine; guarded by mu
}

const defaultConcurrency = 8

// New returns a Poller that does nothing until Run or Poll is called.
func New(c Config) *Poller {
	if c.Concurrency <= 0 {
		c.Concurrency = defaultConcurrency
	}
	if c.FullRefresh <= 0 {
		c.FullRefresh = defaultFullRefresh
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	p := &Poller{
		Config:    c,
		id:        job.ID{CommCell: c.CommCell},
		began:     time.Now(),
		beganAt:   time.Now().UnixNano(),
		requested: make(chan job.ID, maxRequested),
		cached:    map[int64]*cachedJob{},
		ended:     map[int64]job.Text{},
	}
	for _, number := range c.Jobs {
		p.cached[number] = &cachedJob{} // their first line is to be known at their first poll
	}
	p.limiter = limiter.New(limiter.Config{Concurrency: c.Concurrency, RateLimit: c.RateLimit, Changed: p.limitChanged})
	p.Counts.meter = c.Meter
	return p
}

// Run polls at once, and then on schedule until ctx ends; meanwhile it polls at once what PollNow
// and the feed name.
func (p *Poller) Run(ctx context.Context) error {
	p.configure(ctx)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return p.cycleOnSchedule(ctx) })
	group.Go(func() error { return p.pollOnRequest(ctx) })
	group.Go(func() error { return p.followFeed(ctx) })
	return group.Wait()
}

const storeRetry = time.Second // before a store that could not be written is tried again

// configure has the store know which jobs are configured. A disk that is full is waited for.
func (p *Poller) configure(ctx context.Context) {
	said := ""
	for ctx.Err() == nil {
		err := p.Store.Configure(p.CommCell, p.Jobs)
		if err == nil {
			return
		}
		if err.Error() != said {
			said = err.Error()
			p.Log.Error("not polled until the store can be written", "commcell", p.CommCell, "err", err)
		}
		_ = sleepUntil(ctx, time.Now().Add(storeRetry))
	}
}

// Cycle is one round over the CommCell's jobs. Its error is one of the store's: what the CommServe does is told, not returned.
func (p *Poller) Cycle(ctx context.Context) (err error) {
	c := newCycle(p.Limit())
	defer func(start time.Time) { p.Counts.cycleEnded(start, err) }(time.Now())
	if p.held() {
		return nil // nothing is asked, so that nothing is said
	}
	up, err := p.identify(ctx, c)
	if err == nil && up {
		up, err = p.probe(ctx, c)
	}
	if err == nil && up {
		err = p.sweep(ctx, c)
	}
	if err != nil || ctx.Err() != nil {
		return err
	}
	if c.asked > 0 && c.answers == 0 {
		p.identified.Store(false) // who answers next may be another
		p.limiter.SlowStart()
	}
	if err := p.forget(); err != nil {
		return err
	}
	return p.concludeReachability(c)
}

// probe asks a CommCell that did not answer once, before it is asked for all its jobs again.
func (p *Poller) probe(ctx context.Context, c *cycle) (up bool, err error) {
	known, err := p.Store.Recall(p.id)
	if err != nil || !known.Told.Unreachable {
		return true, err
	}
	tracked, err := p.jobsToPoll()
	if err != nil {
		return false, err
	}
	p.countClasses(tracked, false)
	if len(tracked) == 0 {
		err := p.list(ctx, p.FinishedWithin, func([]commvault.Line) error { return nil })
		return err == nil, p.note(c, err)
	}
	p.probed++
	return p.probeWith(ctx, c, tracked[p.probed%len(tracked)])
}

// probeWith polls the job, for what it shows is an observation like any other. Whether the CommServe knows it is for
// the sweep to say, which polls again.
func (p *Poller) probeWith(ctx context.Context, c *cycle, j store.Tracked) (up bool, err error) {
	probe := unscheduled(1)
	err = p.pollJob(ctx, probe, trackedJob{id: job.ID{CommCell: p.CommCell, Number: j.Number}, why: j.Why, once: true})
	switch {
	case err != nil || ctx.Err() != nil:
		return false, err
	case probe.asked == 0: // another goroutine is polling it
		return true, nil
	case probe.answers > 0:
		return true, p.note(c, nil)
	}
	c.note(probe.err)
	return false, nil
}

// forget drops, now and then, the snapshots of jobs that ended long ago.
func (p *Poller) forget() error {
	if p.KeepFinished <= 0 || time.Since(p.forgot) < p.atMost(time.Hour, p.KeepFinished/2) {
		return nil
	}
	p.forgot = time.Now()
	before, err := p.forgettable(p.forgot)
	if err != nil {
		return err
	}
	_, err = p.Store.Forget(p.CommCell, before)
	return err
}

// answered says whether an error still means that the CommServe answers for its jobs: an old answer is no observation,
// and no silence either.
func answered(err error) bool {
	return err == nil || errors.Is(err, errOlder) || errors.Is(err, commvault.ErrUnknownJob)
}
