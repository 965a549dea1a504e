package poller

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"jobwatch/internal/commvault"
	"jobwatch/internal/job"
	"jobwatch/internal/limiter"
	"jobwatch/internal/store"
)

// Cycle is one round over the CommCell's jobs. Its error is one of the store's: what the CommServe does is told, not
// returned.
func (p *Poller) Cycle(ctx context.Context) (err error) {
	c := newCycle(p.Limit())
	defer func(start time.Time) {
		asked, answered := c.counts()
		p.Counts.cycleEnded(start, asked, answered, err)
	}(time.Now())
	if p.onHold() {
		return nil // nothing is asked, so there is nothing to conclude
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
		p.identified.Store(false) // the server that answers next may be another
		p.limiter.SlowStart()
	}
	if err := p.forget(); err != nil {
		return err
	}
	return p.concludeReachability(c)
}

// onHold says whether nothing is asked, and logs it once for each hold.
func (p *Poller) onHold() bool {
	until, cause := p.Hold()
	if until.IsZero() {
		return false
	}
	if !until.Equal(p.cycleState.holdLogged) {
		p.cycleState.holdLogged = until
		p.Log.Warn("asks nothing until the CommServe allows it again", "commcell", p.CommCell, "wait", time.Until(until).Round(time.Second).String(), "err", cause)
	}
	return true
}

// probe asks a CommCell that does not answer for one job, before it is asked for all of them again.
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
		return err == nil, p.noteOutcome(c, err)
	}
	p.cycleState.probed++
	return p.probeWith(ctx, c, tracked[p.cycleState.probed%len(tracked)])
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
		return true, p.noteOutcome(c, nil)
	}
	c.note(probe.err)
	return false, nil
}

// forget drops, once an hour or so, the snapshots of jobs that ended long ago.
func (p *Poller) forget() error {
	if !p.forgetIsDue(time.Now()) {
		return nil
	}
	p.cycleState.forgot = time.Now()
	before, err := p.forgettable(p.cycleState.forgot)
	if err != nil {
		return err
	}
	_, err = p.Store.Forget(p.CommCell, before)
	return err
}

func (p *Poller) forgetIsDue(now time.Time) bool {
	return p.KeepFinished > 0 && now.Sub(p.cycleState.forgot) >= p.atMost(time.Hour, p.KeepFinished/2)
}

// cycle is what has come of one cycle's requests so far.
type cycle struct {
	patience int    // failures of the CommCell as a whole, without an answer, after which it is given up
	list     uint32 // number of the Job list that was read in this cycle; 0: none was

	unscheduled bool

	mu       sync.Mutex
	asked    int    // guarded by mu, as the rest is
	answers  int    //
	shown    int    // answers with the job
	missing  []miss // answers without it
	failures int    // in a row, of the CommCell as a whole
	err      error  // the last failure
}

func newCycle(atOnce int) *cycle { return &cycle{patience: max(atOnce, 3)} }

// unscheduled counts polls outside a cycle: whether the CommCell answers, and whether a job is lost, is not for them to
// say.
func unscheduled(atOnce int) *cycle {
	c := newCycle(atOnce)
	c.unscheduled = true
	return c
}

// note counts the outcome of one request, its own repetitions included, and says whether it is the first answer.
func (c *cycle) note(err error) (first bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if answered(err) {
		c.asked++
		c.answers++
		c.failures = 0
		return c.answers == 1
	}
	if _, held := errors.AsType[*limiter.HeldError](err); !held {
		c.asked++
	}
	c.err = err
	if commvault.SourceDown(err) {
		c.failures++
	}
	return false
}

func (c *cycle) counts() (asked, answered int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.asked, c.answers
}

// noteOutcome counts the outcome of a request, and commits at a cycle's first answer that the CommCell answers: the
// rest of the cycle may take long. Its error is one of the store's.
func (p *Poller) noteOutcome(c *cycle, err error) error {
	if !c.note(err) || c.unscheduled {
		return nil
	}
	return p.commitReachability(true, nil)
}

// hopeless says that the CommCell as a whole has stopped answering: the rest of its jobs need not be asked for.
func (c *cycle) hopeless() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failures >= c.patience
}

// pollAll polls the jobs, several at once. Few goroutines that stay are cheaper than one a job,
// each of which would have to grow its stack. Where the CommCell is given up, a poll that still waits for a permit
// ends; a request that is in flight may yet bring an answer.
func (p *Poller) pollAll(ctx context.Context, c *cycle, jobs []store.Tracked) error {
	var next atomic.Int64
	inFlight := ctx
	ctx, giveUp := context.WithCancel(ctx)
	defer giveUp()
	group, ctx := errgroup.WithContext(ctx)
	for range min(p.Concurrency, len(jobs)) {
		group.Go(func() error {
			for ctx.Err() == nil {
				if c.hopeless() {
					giveUp()
					return nil
				}
				i := int(next.Add(1)) - 1
				if i >= len(jobs) {
					return nil
				}
				id := job.ID{CommCell: p.CommCell, Number: jobs[i].Number}
				if err := p.pollJob(ctx, c, trackedJob{id: id, why: jobs[i].Why, inFlight: inFlight}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// pollJob polls a job and counts what comes of it. Its error is one of the store's. A job that another goroutine is
// polling is skipped.
func (p *Poller) pollJob(ctx context.Context, c *cycle, j trackedJob) error {
	if !p.cache.claim(&j) {
		return nil
	}
	defer p.cache.release(j)
	start := time.Now()
	err := p.poll(ctx, j)
	p.Counts.pollEnded(start)
	var broken *storeError
	if errors.As(err, &broken) {
		return err
	}
	if err != nil && ctx.Err() != nil {
		return nil // given up, not failed
	}
	if !c.noteJob(j, err) {
		p.report(ctx, j.id, err)
	}
	return p.noteOutcome(c, err)
}

// trackedJob is a job to poll, and why.
type trackedJob struct {
	id      job.ID
	why     store.Why
	cached  *cachedJob // claimed for the poll
	changed uint16     // its line.changed when the poll began
	once    bool       // a failure is not repeated
	owed    bool       // for the events that wait for it alone: another watcher polls the CommCell

	inFlight context.Context // of its request, which lives longer than the wait for a permit; nil: the poll's own
}

// answered says whether an error still means that the CommServe answers for its jobs: an old answer is no observation,
// and no silence either.
func answered(err error) bool {
	return err == nil || errors.Is(err, errOlder) || errors.Is(err, commvault.ErrUnknownJob)
}
