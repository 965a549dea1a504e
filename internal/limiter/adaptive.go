package limiter

import (
	"fmt"
	"time"
)

// adaptiveLimit is how the limit follows what the server bears. It begins with two requests at once at the start and
// with one after an outage, and doubles with each round of answers (slow start). Too much for the server halves it,
// once for all requests that were in flight; slower answers lower it by one. Where one at a time is still too much,
// there is a pause between two. Why it is no library's: docs/dependencies.md. The semaphore's mu guards it.
type adaptiveLimit struct {
	good      int       // answers since the limit changed
	slowStart bool      // until something goes wrong
	fell      time.Time // last; requests sent before say nothing new
	latency   latency
	slow      int // slow answers in a row

	pause time.Duration // between two requests, where the limit is 1
	next  time.Time     // no request before

	ceiling   int           // a limit that was too much; 0: none is known
	retryAt   time.Time     // when it is tried again
	retryWait time.Duration // between two such tries
}

const (
	firstLimit   = 2 // one request that hangs is not to hold up an urgent one
	firstPause   = 500 * time.Millisecond
	longestPause = 10 * time.Second
	firstRetry   = 10 * time.Second
	longestRetry = 10 * time.Minute
	slowInARow   = 16          // one answer that took long is no alarm
	inVainWithin = time.Minute // a retry refused this soon was in vain: the next waits longer
)

// SlowStart has the work resume spread out, after an outage.
func (l *Limiter) SlowStart() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.limit, l.slowStart, l.good, l.ceiling = 1, true, 0, 0
}

// judge gives the cause where less is to be asked from now on.
func (l *Limiter) judge(sent, now time.Time, o Outcome) (cause error) {
	switch o.Result {
	case TooMuch:
		if sent.After(l.fell) {
			l.halve(now)
			return o.Err
		}
	case Answered:
		if o.Timed && l.isSlow(now.Sub(sent), now) {
			return l.lower(now)
		}
		l.wentWell(now)
	default: // says nothing of what the server bears
	}
	return nil
}

// halve asks for half as much, or pauses for twice as long.
func (l *Limiter) halve(now time.Time) {
	l.fell, l.good, l.slow, l.slowStart = now, 0, 0, false
	if l.limit == 1 {
		l.pause = min(max(2*l.pause, firstPause), longestPause)
		return
	}
	inVain := l.limit == l.ceiling && now.Sub(l.retryAt) < inVainWithin
	l.retryWait = min(2*l.retryWait, longestRetry)
	if !inVain {
		l.retryWait = firstRetry
	}
	l.ceiling, l.retryAt = l.limit, now.Add(l.retryWait)
	l.limit /= 2
}

func (l *Limiter) isSlow(took time.Duration, now time.Time) bool {
	l.latency.add(took, now)
	if !l.latency.high() {
		l.slow = 0
		return false
	}
	l.slow++
	return true
}

func (l *Limiter) lower(now time.Time) (cause error) {
	if l.slow < slowInARow || l.limit == 1 {
		return nil
	}
	l.limit--
	l.fell, l.good, l.slow, l.slowStart = now, 0, 0, false
	return fmt.Errorf("answers take %d ms, and took %d ms", l.latency.recent.Milliseconds(), l.latency.usual.Milliseconds())
}

// wentWell asks for one more after as many good answers as the limit is. What was too much before is tried
// again after a while only, which grows: a server that bears two at once is not to refuse a third all the time.
func (l *Limiter) wentWell(now time.Time) {
	if l.pause > 0 {
		if l.pause /= 2; l.pause < firstPause {
			l.pause = 0
		}
		return
	}
	l.good++
	if l.limit == l.most || !l.slowStart && l.good < l.limit || l.limit+1 == l.ceiling && now.Before(l.retryAt) {
		return
	}
	if l.limit == l.ceiling {
		l.ceiling = 0
	}
	l.good = 0
	l.limit++
}

// latency is how long answers take just now, and how long they usually do. The zero latency is ready.
type latency struct {
	recent, usual time.Duration
	at            time.Time
}

const (
	recentAnswers = 16
	usualTime     = time.Hour              // in which the usual follows what has grown
	slowTimes     = 4                      // the usual is slow,
	slowBy        = 300 * time.Millisecond // and so much more: a fast server's jitter is none
)

// add takes the fastest of late for usual at once: what is slow at the start is no measure.
func (d *latency) add(took time.Duration, now time.Time) {
	if d.at.IsZero() {
		d.recent, d.usual = took, took
	} else {
		d.recent += (took - d.recent) / recentAnswers
		share := min(1, float64(now.Sub(d.at))/float64(usualTime))
		d.usual = min(d.recent, d.usual+time.Duration(share*float64(d.recent-d.usual)))
	}
	d.at = now
}

func (d *latency) high() bool { return d.recent > slowTimes*d.usual && d.recent-d.usual > slowBy }
