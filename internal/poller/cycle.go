package poller

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"jobwatch/internal/commvault"
	"jobwatch/internal/diff"
	"jobwatch/internal/job"
	"jobwatch/internal/limiter"
	"jobwatch/internal/store"
)

// cycle is what has come of one cycle's requests so far.
type cycle struct {
	patience int    // failures of the CommCell as a whole, without an answer, after which it is given up
	list     uint32 // the round of the Job list that was read in this cycle; 0: none was

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

// unscheduled counts polls outside a cycle: whether the CommCell answers, and whether a job is lost, is not for them to say.
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

// note has a cycle's first answer tell that the CommCell answers: the rest of the cycle may take long. Its error is one of
// the store's.
func (p *Poller) note(c *cycle, err error) error {
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
// each of which would grow its stack anew. Where the CommCell is given up, a poll that still waits for a permit
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

// pollJob counts what comes of a poll. Its error is one of the store's. A job that another
// goroutine is polling is skipped.
func (p *Poller) pollJob(ctx context.Context, c *cycle, j trackedJob) error {
	if !p.claim(&j) {
		return nil
	}
	defer p.release(j)
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
		p.report(ctx, j, err)
	}
	return p.note(c, err)
}

// concludeReachability commits unreachable or reachable, once each. A cycle that asked nothing says nothing.
func (p *Poller) concludeReachability(c *cycle) error {
	if c.asked == 0 {
		return nil
	}
	if c.err == nil {
		p.clearFailure()
	}
	return p.commitReachability(c.answers > 0, c.err)
}

func (p *Poller) commitReachability(up bool, why error) error {
	p.Counts.answers(up, why)
	for {
		known, err := p.Store.Recall(p.id)
		if err != nil {
			return err
		}
		changes := diff.CommCell(known.Told, up)
		if len(changes) == 0 && !known.RefreshPending {
			return nil
		}
		reason := ""
		if !up {
			reason = commvault.Reason(why)
		}
		now := time.Now()
		err = p.Store.CommitCommCell(p.id, known, changes, now, reason)
		if errors.Is(err, store.ErrChanged) {
			continue
		}
		if err == nil {
			p.Counts.events(changes, time.Time{}, now)
		}
		if err == nil && up {
			p.Log.Info("answers again", "commcell", p.CommCell)
		} else if err == nil {
			p.Log.Warn(commvault.FailureOf(why).Says(), "commcell", p.CommCell, "err", reason)
		}
		return err
	}
}
