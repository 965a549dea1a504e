package poller

import (
	"context"
	"log/slog"
	"maps"
	"sync"
	"time"

	"jobwatch/internal/job"
)

// say logs what may come again and again: of the same cause so many lines, and how often it came. It says whether it
// has logged.
func (p *Poller) say(level slog.Level, words, cause string, named int, args ...any) bool {
	times := p.repeats.news(words+": "+cause, 1, named)
	if times == 0 {
		return false
	}
	if times > 1 {
		args = append(args, "count", times)
	}
	p.Log.Log(context.Background(), level, words, args...)
	return true
}

// causeOf is an error without the numbers that tell one job, or one time, from another.
func causeOf(err error) string { return string(job.Text(err.Error()).WithoutNumbers()) }

// repeats keeps the log to news: a cause that comes again and again is said at first, and then once an hour, with how
// often it came. The zero repeats is ready.
type repeats struct {
	mu     sync.Mutex
	causes map[string]*cause // guarded by mu
}

type cause struct {
	began, last time.Time
	said        int // lines since it began
	unsaid      int // times since the last line
}

const (
	sayAgain   = time.Hour
	calm       = 10 * time.Minute // without a cause, and it is news when it comes again
	mostCauses = 100              // that are told apart
	otherCause = "other"
)

// news says how often a cause has come, these times included, since it was last said; 0: it is not to be said now.
// Of one that befalls many, so many are named.
func (r *repeats) news(words string, times, named int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	c := r.causeLocked(words, now)
	if now.Sub(c.last) >= calm || now.Sub(c.began) >= sayAgain {
		c.began, c.said = now, 0
	}
	c.last = now
	c.unsaid += times
	if c.said >= named {
		return 0
	}
	c.said++
	times, c.unsaid = c.unsaid, 0
	return times
}

func (r *repeats) causeLocked(words string, now time.Time) *cause {
	if r.causes == nil {
		r.causes = map[string]*cause{}
	}
	c := r.causes[words]
	if c == nil && len(r.causes) >= mostCauses {
		maps.DeleteFunc(r.causes, func(_ string, c *cause) bool { return now.Sub(c.last) >= calm })
	}
	if c == nil && len(r.causes) >= mostCauses {
		words = otherCause
		c = r.causes[words]
	}
	if c == nil {
		c = &cause{}
		r.causes[words] = c
	}
	return c
}
