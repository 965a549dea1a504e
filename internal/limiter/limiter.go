// Package limiter says when the next request may be sent to a server, so that it gets no more than it bears: how many
// at once, how many a second, and none while it wants to be left alone. It knows requests by their outcome alone.
package limiter

import (
	"context"
	"time"

	"golang.org/x/time/rate"
)

// Config says how much is asked at most.
type Config struct {
	Concurrency int          // requests in flight; at least 1
	RateLimit   float64      // requests a second; 0: any
	Changed     func(Change) // told what the limiter changes, one after the other; may not use the limiter
}

// Limiter lets requests through, first come, first served. Its methods may be called from many goroutines.
type Limiter struct {
	changed func(Change)
	rate    *rate.Limiter

	semaphore          // its mu guards all that follows
	most          int  // of the semaphore's limit
	adaptiveLimit      // how the limit follows what the server bears
	hold          hold // the server wants to be left alone
	lowered       bool // less is asked than was configured, and that was told
}

// Change is what a limiter changes by itself.
type Change struct {
	Kind     Kind
	From, To int   // of Lowered and Restored: requests in flight, at most
	Cause    error // of Lowered and Slowed
}

// Kind is the kind of a change.
type Kind int

const (
	Lowered  Kind = iota // fewer at once, or a longer pause between two
	Restored             // as many at once as configured, again
	Slowed               // fewer a second, as the server's quota allows
)

// Result is what the outcome of a request says of the load.
type Result int

const (
	Unused   Result = iota // nothing: it was not sent, or its failure concerns no other request
	Failed                 // nothing, but that it was sent
	Answered               // the server bears it
	TooMuch                // the server is overloaded
)

// Outcome is what came of a request.
type Outcome struct {
	Result Result
	Timed  bool    // how long the answer took is to be compared with others: those of requests alike
	Err    error   // of the request, if any; of TooMuch there is one
	Rate   float64 // requests a second that the server's quota allows; 0: it names none

	HoldFor   time.Duration // nothing is to be sent for so long; 0: it may
	HoldCause error
}

// HeldError is a request that was not sent, since the server wants to be left alone for longer than is waited for.
type HeldError struct{ Cause error }

func (e *HeldError) Error() string { return e.Cause.Error() }
func (e *HeldError) Unwrap() error { return e.Cause }

// Permit is the leave to send one request. Whoever has it gives it back with Release, once.
type Permit struct {
	limiter *Limiter
	sent    time.Time
}

const (
	quotaShare  = 0.9              // of the requests that a quota allows: its period may begin at another moment than ours
	longestWait = 10 * time.Second // for a hold to end
)

// New returns a limiter that begins with few requests at once.
func New(c Config) *Limiter {
	limit := rate.Inf
	if c.RateLimit > 0 {
		limit = rate.Limit(c.RateLimit)
	}
	return &Limiter{
		changed:       c.Changed,
		rate:          rate.NewLimiter(limit, 1),
		most:          c.Concurrency,
		semaphore:     semaphore{limit: min(firstLimit, c.Concurrency)},
		adaptiveLimit: adaptiveLimit{slowStart: true},
	}
}

// Acquire waits until one more request may be sent. Without a permit it leaves with ctx's error as soon as ctx ends, or
// with a HeldError at once.
func (l *Limiter) Acquire(ctx context.Context) (Permit, error) {
	if err := l.acquire(ctx); err != nil {
		return Permit{}, err
	}
	err := l.waitForServer(ctx)
	if err == nil {
		err = l.rate.Wait(ctx)
	}
	if err != nil {
		l.release()
	}
	return Permit{l, time.Now()}, err
}

// waitForServer waits for a short hold to end, and for the pause after the request before.
func (l *Limiter) waitForServer(ctx context.Context) error {
	l.mu.Lock()
	hold, next := l.hold, l.next
	l.mu.Unlock()
	if !hold.until.IsZero() {
		if err := hold.wait(ctx); err != nil {
			return err
		}
		l.mu.Lock()
		next = l.next
		l.mu.Unlock()
	}
	return sleepUntil(ctx, next)
}

// Release gives the permit back, and learns from what came of its request.
func (p Permit) Release(o Outcome) {
	l := p.limiter
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.releaseLocked() // after whatever is changed for it: the next request goes by that
	now := time.Now()       // under the lock: what was sent before the limit falls is of the same batch
	if o.HoldFor > 0 {
		l.hold.extend(now.Add(o.HoldFor), o.HoldCause)
	}
	if o.Rate > 0 {
		l.slowTo(rate.Limit(o.Rate*quotaShare), o.Err)
	}
	if o.Result == Unused {
		return
	}
	before := l.limit
	cause := l.judge(p.sent, now, o)
	l.next = now.Add(l.pause)
	l.tell(before, cause)
}

// slowTo has requests come no faster from now on than a quota allows: else each of its periods would begin with a burst,
// and be spent in silence.
func (l *Limiter) slowTo(allowed rate.Limit, cause error) {
	if allowed < l.rate.Limit() {
		l.rate.SetLimit(allowed)
		l.changed(Change{Kind: Slowed, Cause: cause})
	}
}

// tell tells each time that less is asked, and once that as much is asked again as was configured.
func (l *Limiter) tell(before int, cause error) {
	switch {
	case cause != nil:
		l.lowered = true
		l.changed(Change{Lowered, before, l.limit, cause})
	case l.lowered && l.limit == l.most && l.pause == 0:
		l.lowered = false
		l.changed(Change{Restored, before, l.limit, nil})
	}
}

// Limit is how many requests are in flight at most, just now.
func (l *Limiter) Limit() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.limit
}

// Interval is the time between two requests that the rate allows; 0: it is not limited.
func (l *Limiter) Interval() time.Duration {
	if limit := l.rate.Limit(); limit < rate.Inf {
		return time.Duration(float64(time.Second) / float64(limit))
	}
	return 0
}

// Hold says until when, and why, Acquire gives HeldErrors; the zero time: it does not.
func (l *Limiter) Hold() (until time.Time, cause error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Until(l.hold.until) > longestWait {
		return l.hold.until, l.hold.cause
	}
	return time.Time{}, nil
}

// hold is the time for which a server wants to be left alone. The zero hold is none.
type hold struct {
	until time.Time
	cause error
}

func (h *hold) extend(until time.Time, cause error) {
	if until.After(h.until) {
		h.until, h.cause = until, cause
	}
}

// wait waits until a short hold ends. A long one is an error at once, with the cause of the hold.
func (h *hold) wait(ctx context.Context) error {
	if time.Until(h.until) > longestWait {
		return &HeldError{h.cause}
	}
	return sleepUntil(ctx, h.until)
}

// sleepUntil sleeps, or leaves with ctx's error.
func sleepUntil(ctx context.Context, at time.Time) error {
	left := time.Until(at)
	if left <= 0 {
		return nil
	}
	select {
	case <-time.After(left):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
