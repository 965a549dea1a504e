// Package poller is loop 1: on a schedule it asks a CommServe about its jobs, compares each answer
// with what was told, and commits what changed. One Poller follows one CommCell.
//
//	schedule.go   when a cycle runs, and what is polled between two
//	cycle.go      one cycle: is the CommCell there, its list, its jobs, several at once
//	discover.go   which jobs of the list are tracked, and how far back the list goes; filter.go: which are left out
//	sweep.go      which tracked jobs a cycle polls, and which a list sweep skips
//	resume.go     which of them the first cycle of a start, or of who takes over, skips
//	poll.go       one poll: recall, ask, compare, commit; ask.go: the request, and when it may be sent
//	older.go      an answer that is older than the last
//	missing.go    a job that the CommServe does not know
//	finalpoll.go  a job that has ended
//	asknow.go     what is asked for people
//	owed.go       what is asked for a CommCell that another watcher polls
//	stall.go      a job that shows no progress
//	feed.go       the CommServe's own events, which name jobs to poll; feedlog.go: what they said
//	commcell.go   whether the CommCell answers, and is the one wanted
//	cache.go      what is remembered of each job
//	counts.go     what others see of a Poller; report.go: what is logged, and how often
package poller

import (
	"context"
	"log/slog"
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
	Spec     string       // Schedule as it is configured, for people
	Log      *slog.Logger // default slog.Default()

	Identify func(context.Context) (guid string, err error) // asks which CommServe it is; nil: nobody does
	GUID     string                                         // of the one wanted; "": the first one met

	AskRaw func(ctx context.Context, number int64) (commvault.Raw, error) // for AskNow, which alone needs it

	Jobs           []int64       // polled in each cycle, whatever becomes of them
	Discover       bool          // track what the Job list names
	Filter         Filter        // which of them
	FinishedWithin time.Duration // how far back the list goes, or further: to the last one read
	Sweep          Sweep         // which of them a cycle polls
	FullRefresh    time.Duration // with SweepList: each unfinished job is polled so often at least; default 10m
	KeepFinished   time.Duration // a finished job's snapshot is forgotten after this; 0: never
	Concurrency    int           // requests in flight at once, at most; default 8
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
	Config // does not change
	Counts Counts

	id      job.ID // of the CommCell itself; does not change, as the next two do not
	began   time.Time
	beganAt int64 // the same by our clock as it was then, in Unix nanoseconds

	cycleState cycleState // of the goroutine that runs Cycle alone
	feed       feed       // of the goroutine that runs followFeed alone, but for what has a lock

	// What all goroutines share. Each has its own lock, but lessLogged: limitChanged alone uses it, which the limiter
	// calls once at a time.
	limiter    *limiter.Limiter
	lessLogged bool // the log says that less is asked
	cache      jobCache
	repeats    repeats
	requested  chan job.ID
	identified atomic.Bool // the CommServe is the one wanted, since it last answered
}

// cycleState is what one cycle leaves for the next. It belongs to the goroutine that runs Cycle: no other reads or writes it.
type cycleState struct {
	tracked      int           // jobs, in the last cycle
	lines        int           // of the Job list, in this cycle
	highWater    highWaterMark // of the list
	resumed      resumption    // of a list sweep
	failedLists  int           // in a row
	filterJudged bool          // the filter has met a list that names jobs
	allUnknown   bool          // the last cycle found that the CommServe has forgotten all jobs
	probed       int           // which job was last asked as a probe
	forgot       time.Time     // when finished jobs were last forgotten
	holdLogged   time.Time     // the hold that was last logged
}

const defaultConcurrency = 8

// New returns a Poller that does nothing until Run or Cycle is called.
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
	}
	p.cache.init(c.Jobs)
	p.limiter = limiter.New(limiter.Config{Concurrency: c.Concurrency, RateLimit: c.RateLimit, Changed: p.limitChanged})
	p.Counts.meter = c.Meter
	return p
}

// Run begins with a cycle at once, and then runs one on schedule until ctx ends; meanwhile it polls at once what PollNow
// and the feed name.
func (p *Poller) Run(ctx context.Context) error {
	p.configure(ctx)
	p.endFinalPolls()
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
