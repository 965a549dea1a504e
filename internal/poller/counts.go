package poller

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"jobwatch/internal/commvault"
	"jobwatch/internal/job"
	"jobwatch/internal/store"
)

// Meter counts what a Poller does. Its methods are called from many goroutines, the first two at
// each poll: they must be cheap.
type Meter interface {
	Polled(result string)        // a poll ended: ok, unchanged, older, or the kind of the error
	PollTook(took time.Duration) // a poll, its repetitions included
	Committed(changes []job.Change, notBefore, observed time.Time)
	CycleTook(took time.Duration)
	TickSkipped()
}

// Counts are what the page and readiness show of a Poller. The zero Counts is ready.
type Counts struct {
	meter Meter        // may be nil
	alive atomic.Int64 // when a request, a poll or a cycle last ended, Unix nanoseconds; 0: none yet

	mu    sync.Mutex
	state Totals // guarded by mu
}

// Totals are the counts since the start.
type Totals struct {
	Cycles  int64
	Skipped int64         // ticks that fell due during a cycle
	Unseen  int64         // jobs whose end the Job list named, and whose details were not known
	Took    time.Duration // the last cycle
	Due     time.Time     // the next tick; zero while the first cycle runs
	Broken  error         // what cut the last cycle short: an error of the store

	Up       bool              // the cycle under way has got an answer, or else the last one that asked
	Since    time.Time         // that holds; zero: no cycle has asked yet
	Answered time.Time         // when a cycle last told of an answer: of its first, and at its end
	Failure  commvault.Failure // how there is none; "": there is one
	Reason   string            // why
	Classes  map[string]int    // jobs polled, by the class of the last answer
}

// Totals reads the counts.
func (c *Counts) Totals() Totals {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.state
	t.Classes = maps.Clone(t.Classes)
	return t
}

func (c *Counts) count(edit func(*Totals)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	edit(&c.state)
}

func (c *Counts) polled(result string) {
	if c.meter != nil {
		c.meter.Polled(result)
	}
}

func (c *Counts) pollEnded(start time.Time) {
	end := time.Now()
	c.alive.Store(end.UnixNano())
	if c.meter != nil {
		c.meter.PollTook(end.Sub(start))
	}
}

func (c *Counts) events(changes []job.Change, notBefore, observed time.Time) {
	if c.meter != nil && len(changes) > 0 {
		c.meter.Committed(changes, notBefore, observed)
	}
}

func (c *Counts) tickSkipped() {
	c.count(func(t *Totals) { t.Skipped++ })
	if c.meter != nil {
		c.meter.TickSkipped()
	}
}

func (c *Counts) unseenEnd() { c.count(func(t *Totals) { t.Unseen++ }) }

func (c *Counts) cycleEnded(start time.Time, broken error) {
	took := time.Since(start)
	c.alive.Store(start.Add(took).UnixNano())
	c.count(func(t *Totals) { t.Cycles++; t.Took, t.Broken = took, broken })
	if c.meter != nil {
		c.meter.CycleTook(took)
	}
}

func (c *Counts) due(at time.Time) { c.count(func(t *Totals) { t.Due = at }) }

func (c *Counts) answers(up bool, reason error) {
	now := time.Now()
	c.count(func(t *Totals) {
		if up != t.Up || t.Since.IsZero() {
			t.Up, t.Since = up, now
		}
		t.Failure, t.Reason = "", ""
		if up {
			t.Answered = now
		} else {
			t.Failure, t.Reason = commvault.FailureOf(reason), reason.Error()
		}
	})
}

// countClasses counts the jobs of a cycle. One that is not cached was either not asked for, or has left.
func (p *Poller) countClasses(jobs []store.Tracked, askedAll bool) {
	var counts [len(classes)]int
	p.mu.Lock()
	for _, j := range jobs {
		switch s := p.cached[j.Number]; {
		case s != nil:
			counts[s.class.Load()]++
		case !askedAll:
			counts[unknownClass]++
		}
	}
	p.mu.Unlock()
	byName := map[string]int{}
	for i, n := range counts {
		if n > 0 {
			byName[string(classes[i])] = n
		}
	}
	p.Counts.count(func(t *Totals) { t.Classes = byName })
}

// report logs what went wrong with a job, or with the CommCell's list, when it is news.
func (p *Poller) report(ctx context.Context, j trackedJob, err error) {
	if ctx.Err() != nil || err == nil {
		return
	}
	kind := resultOf(err)
	if !j.id.IsCommCell() {
		p.Counts.polled(kind)
	}
	if commvault.SourceDown(err) {
		j.id = p.id // of the CommCell as a whole: a line for each of its jobs would say no more
	}
	if p.failureIsNews(j.id, kind) {
		p.logSparingly(slog.LevelWarn, "no observation", causeOf(err), failingJobs, keyOf(j.id), j.id.String(), "err", err)
	}
}

const failingJobs = 5 // that are named for one cause

// failureIsNews says whether the last failure was another one.
func (p *Poller) failureIsNews(id job.ID, kind string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	cached := p.cachedLocked(id)
	news := kind != cached.failure
	cached.failure = kind
	return news
}

// clearFailure has the CommCell's next failure logged, whichever it is.
func (p *Poller) clearFailure() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cachedLocked(p.id).failure = ""
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
