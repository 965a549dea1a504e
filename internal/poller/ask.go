package poller

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/cenkalti/backoff/v4"

	"jobwatch/internal/commvault"
	"jobwatch/internal/job"
	"jobwatch/internal/limiter"
)

const (
	triesMore = 2                      // after the first; the schedule is what tries for ever
	firstWait = 500 * time.Millisecond // before the second try, doubled before the third, each ± half
)

// ask asks for one job, and asks again after a failure that may pass.
func (p *Poller) ask(ctx context.Context, j trackedJob) (seen job.Observation, err error) {
	if j.once {
		return p.askOnce(ctx, j)
	}
	err = p.retry(ctx, func() error {
		seen, err = p.askOnce(ctx, j)
		return err
	})
	return seen, err
}

func (p *Poller) askOnce(ctx context.Context, j trackedJob) (seen job.Observation, err error) {
	permit, err := p.limiter.Acquire(ctx)
	if err != nil {
		return seen, err
	}
	if j.inFlight != nil {
		ctx = j.inFlight
	}
	seen, err = p.Source.JobDetails(ctx, j.id.Number)
	p.returnPermit(permit, true, err)
	if seen.Snapshot.EndsWithoutState() && p.addListedState(&seen.Snapshot) {
		err = nil
	}
	return seen, err
}

// list reads the Job list, from its start again after a failure that may pass. An error of yield's is its own.
func (p *Poller) list(ctx context.Context, finishedWithin time.Duration, yield func([]commvault.Line) error) error {
	return p.retry(ctx, func() error {
		p.cycleState.lines = 0
		return p.pages(ctx, finishedWithin, func(lines []commvault.Line) error {
			p.cycleState.lines += len(lines)
			return yield(lines)
		})
	})
}

// pages has each page of the list wait for a permit. After the last one it waits, too, and asks for none.
func (p *Poller) pages(ctx context.Context, finishedWithin time.Duration, yield func([]commvault.Line) error) error {
	permit, err := p.limiter.Acquire(ctx)
	if err != nil {
		return err
	}
	held := true
	err = p.Source.List(ctx, finishedWithin, func(lines []commvault.Line) error {
		p.returnPermit(permit, false, nil)
		held = false
		err := yield(lines)
		if err == nil {
			permit, err = p.limiter.Acquire(ctx)
			held = err == nil
		}
		return err
	})
	switch {
	case held && err == nil:
		permit.Release(limiter.Outcome{})
	case held:
		p.returnPermit(permit, false, err)
	}
	return err
}

// request sends another request than those for details and list.
func (p *Poller) request(ctx context.Context, send func() error) error {
	permit, err := p.limiter.Acquire(ctx)
	if err != nil {
		return err
	}
	err = send()
	p.returnPermit(permit, false, err)
	return err
}

// returnPermit says what has come of a request. Whether answers slow down is judged by JobDetails: pages of the list
// differ in length.
func (p *Poller) returnPermit(permit limiter.Permit, details bool, err error) {
	p.Counts.alive.Store(time.Now().UnixNano())
	o := outcomeOf(err)
	o.Timed = details
	permit.Release(o)
}

// outcomeOf says what a request's error, or its answer, means for those after it.
func outcomeOf(err error) limiter.Outcome {
	o := limiter.Outcome{Result: limiter.Failed, Err: err}
	if answered(err) {
		o.Result = limiter.Answered
	}
	e, ours := errors.AsType[*commvault.Error](err)
	if !ours {
		return o
	}
	o.Rate = e.Rate
	if e.Kind == commvault.Throttled || e.Kind == commvault.Timeout || e.Code == http.StatusGatewayTimeout { // its own, or a gateway's before it
		o.Result = limiter.TooMuch
	}
	if e.Kind == commvault.Throttled && e.RetryAfter > 0 { // that of a refused login is the client's affair
		cause := *e
		cause.RetryAfter = 0 // it counts from now
		o.HoldFor, o.HoldCause = e.RetryAfter, &cause
	}
	return o
}

// retry tries again after a failure that may pass. One that took its whole time-out is left to the next cycle.
func (p *Poller) retry(ctx context.Context, try func() error) error {
	err := try()
	if !p.transient(err) {
		return err
	}
	wait := backoff.NewExponentialBackOff(backoff.WithInitialInterval(firstWait), backoff.WithMultiplier(2))
	more := backoff.WithContext(backoff.WithMaxRetries(wait, triesMore), ctx)
	return backoff.Retry(func() error {
		if first := err; first != nil {
			err = nil
			return first
		}
		again := try()
		if again != nil && !p.transient(again) {
			return backoff.Permanent(again)
		}
		return again
	}, more)
}

func (p *Poller) transient(err error) bool {
	if err == nil || !commvault.Retryable(err) || commvault.KindOf(err) == commvault.Timeout {
		return false
	}
	until, _ := p.Hold()
	return until.IsZero()
}

// Limit is how many requests are in flight at once at most, just now.
func (p *Poller) Limit() int { return p.limiter.Limit() }

// Rate is how many requests a second are sent at most, just now: RateLimit, or less where the CommServe's quota allows
// less; 0: it is not limited.
func (p *Poller) Rate() float64 {
	if interval := p.limiter.Interval(); interval > 0 {
		return 1 / interval.Seconds()
	}
	return 0
}

// Hold says until when, and why, nothing is asked, since the CommServe wants to be left alone: a Retry-After, or a
// quota's period. The zero time is: it is asked.
func (p *Poller) Hold() (until time.Time, cause error) { return p.limiter.Hold() }

// limitChanged logs that less is asked than was configured, and then that as much is asked again: not each time that
// the limit falls and rises for the same cause. The limiter calls it, once at a time.
func (p *Poller) limitChanged(c limiter.Change) {
	switch c.Kind {
	case limiter.Lowered:
		p.lessLogged = p.logSparingly(slog.LevelWarn, "asks less at once, until it bears more", causeOf(c.Cause), 1,
			"commcell", p.CommCell, "cause", c.Cause.Error(), "from", c.From, "to", c.To) || p.lessLogged
	case limiter.Restored:
		if p.lessLogged {
			p.lessLogged = false
			p.Log.Info("asks as much at once as configured again", "commcell", p.CommCell, "limit", c.To)
		}
	case limiter.Slowed:
		p.Log.Warn("asks no faster than the CommServe's quota allows, from now on", "commcell", p.CommCell, "err", c.Cause)
	}
}
