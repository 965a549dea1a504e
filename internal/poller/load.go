package poller

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"jobwatch/internal/commvault"
)

// load is how many requests a CommCell gets at once. It begins with two at the start and one after an outage, and
// doubles with each round of answers. Too much for the CommServe halves it, once for all requests that were under
// way; slower answers lower it by one. Where one at a time is still too much, it pauses between two. Why it is no
// library's: docs/dependencies.md.
type load struct {
	turns
	most int // of limit

	good    int       // answers since limit changed; guarded by mu, as the rest is
	doubles bool      // until something goes wrong
	fell    time.Time // last; requests sent before say nothing new
	delay   delay
	slow    int // slow answers in a row

	pause time.Duration // between two requests, where limit is 1
	next  time.Time     // not before

	knee     int           // a limit that was too much; 0: none is known
	retry    time.Time     // when it is tried again
	patience time.Duration // between two such tries

	said bool // that less is asked
}

const (
	firstLimit   = 2 // one that hangs is not to hold up an unscheduled poll
	firstPause   = 500 * time.Millisecond
	longestPause = 10 * time.Second
	firstRetry   = 10 * time.Second
	longestRetry = 10 * time.Minute
	slowInARow   = 16          // one answer that took long is no alarm
	inVainWithin = time.Minute // that is too much, the retry was
)

func newLoad(most int) *load {
	return &load{turns: turns{limit: min(firstLimit, most)}, most: most, doubles: true}
}

// turn is the leave to send one request.
type turn struct{ sent time.Time }

// admit waits until the CommCell may get one more request. Who has a turn gives it back with done.
func (p *Poller) admit(ctx context.Context) (turn, error) {
	if err := p.load.wait(ctx); err != nil {
		return turn{}, err
	}
	err := p.rest.wait(ctx)
	if err == nil {
		err = sleepUntil(ctx, p.load.notBefore())
	}
	if err == nil {
		err = p.limiter.Wait(ctx)
	}
	if err != nil {
		p.load.release()
	}
	return turn{time.Now()}, err
}

// done says what has come of the request. Whether answers slow down is judged by JobDetails: pages of the list
// differ in length.
func (p *Poller) done(t turn, details bool, err error) {
	p.heed(err)
	p.load.mu.Lock()
	defer p.load.mu.Unlock()
	before, now := p.load.limit, time.Now()
	p.Counts.alive.Store(now.UnixNano())
	cause := p.load.judge(t, now, details, err)
	p.load.next = now.Add(p.load.pause)
	p.load.releaseLocked()
	p.sayLimit(before, cause)
}

// sayLimit says that less is asked than was configured, and then that as much is asked again: not each time that a limit
// falls and rises for the same cause.
func (p *Poller) sayLimit(before int, cause error) {
	l := p.load
	switch {
	case cause != nil:
		l.said = p.logSparingly(slog.LevelWarn, "asks less at once, until it bears more", causeOf(cause), 1,
			"commcell", p.CommCell, "cause", cause.Error(), "from", before, "to", l.limit) || l.said
	case l.said && l.limit == l.most && l.pause == 0:
		l.said = false
		p.Log.Info("asks as much at once as configured again", "commcell", p.CommCell, "limit", l.limit)
	}
}

// Limit is how many requests are under way at once at most, just now.
func (p *Poller) Limit() int {
	p.load.mu.Lock()
	defer p.load.mu.Unlock()
	return p.load.limit
}

func (l *load) notBefore() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.next
}

// begin has the work resume spread out, after an outage.
func (l *load) begin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.limit, l.doubles, l.good, l.knee = 1, true, 0, 0
}

// judge gives the cause where less is to be asked from now on.
func (l *load) judge(t turn, now time.Time, details bool, err error) (cause error) {
	switch {
	case tooMuch(err):
		if t.sent.After(l.fell) {
			l.halve(now)
			return err
		}
	case answered(err):
		if details && l.isSlow(now.Sub(t.sent), now) {
			return l.lower(now)
		}
		l.wentWell(now)
	}
	return nil
}

// tooMuch says whether an error is that of an overloaded CommServe, or of a gateway before it.
func tooMuch(err error) bool {
	e, is := errors.AsType[*commvault.Error](err)
	return is && (e.Kind == commvault.Throttled || e.Kind == commvault.Timeout || e.Code == http.StatusGatewayTimeout)
}

// halve asks for half as much, or pauses for twice as long.
func (l *load) halve(now time.Time) {
	l.fell, l.good, l.slow, l.doubles = now, 0, 0, false
	if l.limit == 1 {
		l.pause = min(max(2*l.pause, firstPause), longestPause)
		return
	}
	inVain := l.limit == l.knee && now.Sub(l.retry) < inVainWithin
	l.patience = min(2*l.patience, longestRetry)
	if !inVain {
		l.patience = firstRetry
	}
	l.knee, l.retry = l.limit, now.Add(l.patience)
	l.limit /= 2
}

func (l *load) isSlow(took time.Duration, now time.Time) bool {
	l.delay.add(took, now)
	if !l.delay.slow() {
		l.slow = 0
		return false
	}
	l.slow++
	return true
}

func (l *load) lower(now time.Time) (cause error) {
	if l.slow < slowInARow || l.limit == 1 {
		return nil
	}
	l.limit--
	l.fell, l.good, l.slow, l.doubles = now, 0, 0, false
	return fmt.Errorf("answers take %d ms, and took %d ms", l.delay.recent.Milliseconds(), l.delay.usual.Milliseconds())
}

// wentWell asks for one more after as many good answers as the limit is. What was too much before is tried
// again after a while only, which grows: a CommServe that bears two at once is not to refuse a third all the time.
func (l *load) wentWell(now time.Time) {
	if l.pause > 0 {
		if l.pause /= 2; l.pause < firstPause {
			l.pause = 0
		}
		return
	}
	l.good++
	if l.limit == l.most || !l.doubles && l.good < l.limit || l.limit+1 == l.knee && now.Before(l.retry) {
		return
	}
	if l.limit == l.knee {
		l.knee = 0
	}
	l.good = 0
	l.limit++
}
