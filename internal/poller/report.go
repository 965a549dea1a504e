package poller

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"sync"
	"time"

	"jobwatch/internal/commvault"
	"jobwatch/internal/job"
)

// report logs what went wrong with a job, or with the CommCell's list, when it is news.
func (p *Poller) report(ctx context.Context, id job.ID, err error) {
	if ctx.Err() != nil || err == nil {
		return
	}
	kind := resultOf(err)
	if !id.IsCommCell() {
		p.Counts.polled(kind)
	}
	if commvault.SourceDown(err) {
		id = p.id // of the CommCell as a whole: a line for each of its jobs would say no more
	}
	if p.cache.failureIsNews(id.Number, kind) {
		p.logSparingly(slog.LevelWarn, "no observation", causeOf(err), failingJobs, keyOf(id), id.String(), "err", err)
	}
}

const failingJobs = 5 // that are named for one cause

// failureIsNews says whether the last failure was another one.
func (c *jobCache) failureIsNews(number int64, kind string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	cached := c.entryLocked(number)
	news := kind != cached.failure
	cached.failure = kind
	return news
}

// clearFailure has the next failure logged, whichever it is.
func (c *jobCache) clearFailure(number int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entryLocked(number).failure = ""
}

func keyOf(id job.ID) string {
	if id.IsCommCell() {
		return "commcell"
	}
	return "job"
}

func resultOf(err error) string {
	if errors.Is(err, errOlder) {
		return "older"
	}
	return string(commvault.KindOf(err))
}

// logSparingly logs what may come again and again: of the same cause so many lines, and how often it came. It says
// whether it has logged.
func (p *Poller) logSparingly(level slog.Level, words, cause string, named int, args ...any) bool {
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

// repeats keeps the log to news: a cause that comes again and again is logged at first, and then once an hour, with how
// often it came. The zero repeats is ready.
type repeats struct {
	mu     sync.Mutex
	causes map[string]*cause // guarded by mu
}

type cause struct {
	began, last time.Time
	logged      int // lines since it began
	unlogged    int // times since the last line
}

const (
	logAgain   = time.Hour
	quietFor   = 10 * time.Minute // without a cause, and it is news when it comes again
	mostCauses = 100              // that are told apart
	otherCause = "other"
)

// news says how often a cause has come, these times included, since it was last logged; 0: it is not to be logged now.
// Of one that meets many jobs, so many are named.
func (r *repeats) news(words string, times, named int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	c := r.causeLocked(words, now)
	if now.Sub(c.last) >= quietFor || now.Sub(c.began) >= logAgain {
		c.began, c.logged = now, 0
	}
	c.last = now
	c.unlogged += times
	if c.logged >= named {
		return 0
	}
	c.logged++
	times, c.unlogged = c.unlogged, 0
	return times
}

func (r *repeats) causeLocked(words string, now time.Time) *cause {
	if r.causes == nil {
		r.causes = map[string]*cause{}
	}
	c := r.causes[words]
	if c == nil && len(r.causes) >= mostCauses {
		maps.DeleteFunc(r.causes, func(_ string, c *cause) bool { return now.Sub(c.last) >= quietFor })
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
