package poller

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v4"
	"golang.org/x/time/rate"

	"jobwatch/internal/commvault"
	"jobwatch/internal/job"
)

const (
	triesMore   = 2                      // after the first; the schedule is what tries for ever
	firstWait   = 500 * time.Millisecond // before the second try, doubled before the third, each ± half
	longestRest = 10 * time.Second       // that a cycle waits for; a longer one ends it
)

// ask asks for one job, and asks again after a passing failure.
func (p *Poller) ask(ctx context.Context, number int64) (seen job.Observation, err error) {
	err = p.repeat(ctx, func() error {
		seen, err = p.askOnce(ctx, number)
		return err
	})
	return seen, err
}

// list reads the Job list, from its start again after a passing failure. An error of yield's is its own.
func (p *Poller) list(ctx context.Context, finishedWithin time.Duration, yield func([]commvault.Line) error) error {
	return p.repeat(ctx, func() error {
		p.lines = 0
		return p.pages(ctx, finishedWithin, func(lines []commvault.Line) error {
			p.lines += len(lines)
			return yield(lines)
		})
	})
}

// pages has each page of the list wait for its turn. After the last one it waits, too, and asks for none.
func (p *Poller) pages(ctx context.Context, finishedWithin time.Duration, yield func([]commvault.Line) error) error {
	turn, err := p.admit(ctx)
	if err != nil {
		return err
	}
	admitted := true
	err = p.Source.List(ctx, finishedWithin, func(lines []commvault.Line) error {
		p.done(turn, false, nil)
		admitted = false
		err := yield(lines)
		if err == nil {
			turn, err = p.admit(ctx)
			admitted = err == nil
		}
		return err
	})
	switch {
	case admitted && err == nil:
		p.load.release()
	case admitted:
		p.done(turn, false, err)
	}
	return err
}

// underWay is the key of the context that a request lives with, where the one that waits for it ends sooner.
type underWay struct{}

func (p *Poller) askOnce(ctx context.Context, number int64) (seen job.Observation, err error) {
	turn, err := p.admit(ctx)
	if err != nil {
		return seen, err
	}
	if whole, waiting := ctx.Value(underWay{}).(context.Context); waiting {
		ctx = whole
	}
	seen, err = p.Source.JobDetails(ctx, number)
	p.done(turn, true, err)
	if seen.Snapshot.EndsWithoutState() && p.addListedState(&seen.Snapshot) {
		err = nil
	}
	return seen, err
}

// repeat tries again after a passing failure. One that took its whole time-out is left to the next cycle.
func (p *Poller) repeat(ctx context.Context, try func() error) error {
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
	return err != nil && commvault.Retryable(err) && commvault.KindOf(err) != commvault.Timeout && !p.rest.long()
}

// rest is the time for which the CommServe wants to be left alone (Retry-After, or a quota's period).
type rest struct {
	mu    sync.Mutex
	until time.Time        // guarded by mu, as the rest is
	cause *commvault.Error // without its Retry-After, which counts from then
	said  bool             // that nothing is asked until then
}

// restError is a request that was not sent, since the CommServe wants to be left alone.
type restError struct{ cause *commvault.Error }

func (e *restError) Error() string { return e.cause.Error() }
func (e *restError) Unwrap() error { return e.cause }

const quotaShare = 0.9 // of the requests that a quota allows: its period may begin at another moment than ours

// heed has all requests wait for as long as the CommServe wants, and come no faster from then on than its quota allows:
// else each period would begin with a burst, and be spent in silence.
func (p *Poller) heed(err error) {
	p.rest.heed(err)
	e, ours := errors.AsType[*commvault.Error](err)
	if !ours || e.Rate <= 0 {
		return
	}
	if allowed := rate.Limit(e.Rate * quotaShare); allowed < p.limiter.Limit() {
		p.limiter.SetLimit(allowed)
		p.Log.Warn("asks no faster than the CommServe's quota allows, from now on", "commcell", p.CommCell, "err", err)
	}
}

// heed notes a Retry-After. That of a refused login is not the server's: the client minds it itself.
func (r *rest) heed(err error) {
	var asked *commvault.Error
	if !errors.As(err, &asked) || asked.Kind != commvault.Throttled || asked.RetryAfter <= 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if until := time.Now().Add(asked.RetryAfter); until.After(r.until) {
		cause := *asked
		cause.RetryAfter = 0
		r.until, r.cause, r.said = until, &cause, false
	}
}

func (r *rest) left() (time.Duration, *commvault.Error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cause == nil {
		return 0, nil
	}
	return time.Until(r.until), r.cause
}

// Rests says until when, and why, nothing is asked; the zero time is: it is asked.
func (p *Poller) Rests() (until time.Time, cause error) {
	if left, cause := p.rest.left(); left > longestRest {
		return time.Now().Add(left), cause
	}
	return time.Time{}, nil
}

// rests says so once in the log for each rest that no cycle waits for.
func (p *Poller) rests() bool {
	until, cause := p.Rests()
	if until.IsZero() {
		return false
	}
	p.rest.mu.Lock()
	said := p.rest.said
	p.rest.said = true
	p.rest.mu.Unlock()
	if !said {
		p.Log.Warn("asks nothing until the CommServe allows it again", "commcell", p.CommCell, "wait", time.Until(until).Round(time.Second).String(), "err", cause)
	}
	return true
}

func (r *rest) long() bool {
	left, _ := r.left()
	return left > longestRest
}

// wait sits a short rest out. A long one is an error at once, the one that asked for it.
func (r *rest) wait(ctx context.Context) error {
	left, cause := r.left()
	if left <= 0 {
		return nil
	}
	if left > longestRest {
		return &restError{cause}
	}
	return sleepUntil(ctx, time.Now().Add(left))
}
