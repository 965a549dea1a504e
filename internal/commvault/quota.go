package commvault

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Quota is how many requests a server allows in a period, as it names them (X-RateLimit-Limit and X-RateLimit-Period),
// and how many were sent. Which of them a server counts it does not say: these are all.
type Quota struct {
	Limit  int64         // 0: none was named
	Period time.Duration // an hour until another is named
	Spent  int64         // in the present period, which begins with a request
}

// quota is counted at each request: without a lock.
type quota struct {
	limit, period atomic.Int64 // the latter in nanoseconds
	began, spent  atomic.Int64 // the former in Unix nanoseconds

	bare atomic.Pointer[bareWait] // after the last 429 that named none; nil: there was an answer since
}

// bareWait is how long a server is left alone that does not say for how long.
type bareWait struct {
	length time.Duration
	until  time.Time
}

const (
	usualPeriod = time.Hour

	firstThrottle = time.Second // after a 429 that does not say for how long, doubled from one to the next
	lastThrottle  = 5 * time.Minute
)

// As net/http spells them.
const (
	limitHeader  = "X-Ratelimit-Limit"
	periodHeader = "X-Ratelimit-Period"
)

// Quota gives what is known of it just now.
func (c *Client) Quota() Quota {
	q := &c.quota
	now := Quota{Limit: q.limit.Load(), Period: q.length(), Spent: q.spent.Load()}
	if time.Now().UnixNano()-q.began.Load() >= int64(now.Period) {
		now.Spent = 0
	}
	return now
}

func (q *quota) length() time.Duration {
	if period := q.period.Load(); period > 0 {
		return time.Duration(period)
	}
	return usualPeriod
}

// count counts a request.
func (q *quota) count(now time.Time) {
	began := q.began.Load()
	if now.UnixNano()-began >= int64(q.length()) && q.began.CompareAndSwap(began, now.UnixNano()) {
		q.spent.Store(0)
	}
	q.spent.Add(1)
}

// observe notes what an answer says of the quota.
func (q *quota) observe(response *http.Response) {
	if limit := positive(response.Header.Get(limitHeader)); limit > 0 {
		q.limit.Store(limit)
	}
	if period := periodOf(response); period > 0 {
		q.period.Store(int64(period))
	}
	if last := q.bare.Load(); last != nil && response.StatusCode != http.StatusTooManyRequests && !time.Now().Before(last.until) {
		q.bare.CompareAndSwap(last, nil)
	}
}

func periodOf(response *http.Response) time.Duration {
	seconds := positive(response.Header.Get(periodHeader))
	return time.Duration(min(seconds, int64(maxRetryAfter/time.Second))) * time.Second
}

func positive(header string) int64 {
	if header == "" {
		return 0
	}
	n, err := strconv.ParseInt(strings.TrimSpace(header), 10, 64)
	if err != nil {
		return 0
	}
	return max(n, 0)
}

// throttled says in an error for how long the server wants to be left alone. After a 429 that is the whole period where
// no shorter time is named, as the documentation of SaaS has it; where that is not named either, it grows.
func (q *quota) throttled(e *Error, response *http.Response) {
	e.Kind = Throttled
	e.RetryAfter = retryAfter(response.Header.Get("Retry-After"))
	if e.RetryAfter == 0 && response.StatusCode == http.StatusTooManyRequests {
		e.RetryAfter = periodOf(response)
	}
	limit, period := positive(response.Header.Get(limitHeader)), time.Duration(q.period.Load())
	switch {
	case e.RetryAfter > 0 && limit > 0 && period > 0: // a gateway's limit may be one of a second: no rate is guessed
		e.Rate = float64(limit) / period.Seconds()
		e.tail = fmt.Sprintf(" (%d requests are allowed in %v; retry after %v)", limit, period, e.RetryAfter)
	case e.RetryAfter > 0:
		e.tail = fmt.Sprintf(" (retry after %v)", e.RetryAfter)
	case response.StatusCode == http.StatusTooManyRequests:
		e.RetryAfter = q.grow(time.Now())
	}
}

// grow gives what is left of a wait that is under way: the answer to an earlier request does not extend it.
func (q *quota) grow(now time.Time) time.Duration {
	last, length := q.bare.Load(), firstThrottle
	if last != nil {
		if left := last.until.Sub(now); left > 0 {
			return left
		}
		length = min(2*last.length, lastThrottle)
	}
	if !q.bare.CompareAndSwap(last, &bareWait{length, now.Add(length)}) {
		return q.grow(now) // another answer made one at this moment
	}
	return length
}
