package poller

import (
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
	Polled(result string)                             // a poll ended: ok, unchanged, older, or the kind of the error
	PollTook(took time.Duration)                      // a poll, its repetitions included
	Committed(changes []job.Change, of *job.Snapshot) // of: nil of a CommCell
	Detected(after time.Duration)                     // a change of state, so long after the poll before it at most
	CycleTook(took time.Duration)
	TickSkipped()
}

// Counts are what the page and readiness show of a Poller. The zero Counts is ready.
type Counts struct {
	meter Meter        // may be nil
	alive atomic.Int64 // when a request, a poll or a cycle last ended, Unix nanoseconds; 0: none yet

	mu     sync.Mutex
	state  Totals          // guarded by mu, as the rest is
	last   [lastKept]Cycle // a ring
	cycles int             // ever put into it
	delays delays
}

const lastKept = 120 // cycles: an hour of the default schedule

// Cycle is what came of one cycle.
type Cycle struct {
	Began    time.Time
	Took     time.Duration
	Asked    int // requests, their repetitions not counted
	Answered int // those of them that show that the CommServe answers

	Delay Delay // of what was seen since the end of the cycle before
}

// Last gives the last cycles, the oldest first.
func (c *Counts) Last() []Cycle {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []Cycle
	for i := max(0, c.cycles-lastKept); i < c.cycles; i++ {
		all = append(all, c.last[i%lastKept])
	}
	return all
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
	Polls    int               // jobs that the last cycle set out to poll
	Stalled  int               // jobs polled that are told as stalled
	Held     time.Time         // since when the one has been held that has been so for the longest; zero: none is
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

func (c *Counts) events(changes []job.Change, of *job.Snapshot, notBefore, observed time.Time) {
	if c.meter != nil && len(changes) > 0 {
		c.meter.Committed(changes, of)
	}
	if notBefore.IsZero() {
		return
	}
	for _, change := range changes {
		if change.Kind == job.KindState {
			c.detected(observed.Sub(notBefore))
		}
	}
}

func (c *Counts) detected(after time.Duration) {
	c.mu.Lock()
	c.delays.add(after)
	c.mu.Unlock()
	if c.meter != nil {
		c.meter.Detected(after)
	}
}

// Delay is how late the last changes of state were seen, at most.
func (c *Counts) Delay() Delay {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.delays.ofLast()
}

func (c *Counts) tickSkipped() {
	c.count(func(t *Totals) { t.Skipped++ })
	if c.meter != nil {
		c.meter.TickSkipped()
	}
}

func (c *Counts) unseenEnd() { c.count(func(t *Totals) { t.Unseen++ }) }

func (c *Counts) cycleEnded(start time.Time, asked, answered int, broken error) {
	took := time.Since(start)
	c.alive.Store(start.Add(took).UnixNano())
	c.count(func(t *Totals) {
		t.Cycles++
		t.Took, t.Broken = took, broken
		c.last[c.cycles%lastKept] = Cycle{start, took, asked, answered, c.delays.ofCycle()}
		c.cycles++
	})
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

// countClasses counts the jobs of a cycle, and which of them stand still. One that is not cached was either not asked for, or has left.
func (p *Poller) countClasses(jobs []store.Tracked, askedAll bool) {
	var counts [len(classes)]int
	stalled, held := 0, uint32(0)
	p.cache.mu.Lock()
	for _, j := range jobs {
		switch s := p.cache.jobs[j.Number]; {
		case s != nil:
			class, since := s.class.Load(), s.since.Load()
			counts[class]++
			switch {
			case since == 0:
			case classes[class] != job.Held:
				stalled++
			case held == 0 || since < held:
				held = since
			}
		case !askedAll:
			counts[unknownClass]++
		}
	}
	p.cache.mu.Unlock()
	byName := map[string]int{}
	for i, n := range counts {
		if n > 0 {
			byName[string(classes[i])] = n
		}
	}
	oldest := time.Time{}
	if held != 0 {
		oldest = time.Unix(int64(held), 0)
	}
	p.Counts.count(func(t *Totals) { t.Classes, t.Stalled, t.Held = byName, stalled, oldest })
}

const (
	ticksLate = 3           // a schedule may be so many ticks late, and no more than
	longLate  = time.Hour   // this, however seldom it comes; but always
	shortLate = time.Minute // this longer than one request may take
)

// FreshUntil is when a Poller that gives no sign of life any more is to be taken for dead. A sign is
// a request, a poll or a cycle that ends, whatever its outcome; a cycle that takes long lives as long as its requests
// end, however few a rate allows. The zero time is: no sign yet.
func (p *Poller) FreshUntil() time.Time {
	alive := p.Counts.alive.Load()
	if alive == 0 {
		return time.Time{}
	}
	due := p.Schedule.Next(time.Unix(0, alive))
	last := due
	for range ticksLate {
		last = p.Schedule.Next(last)
	}
	late := min(max(last.Sub(due), p.Timeout+shortLate), longLate+p.Timeout)
	late += 2 * p.limiter.Interval() // the end of a list waits for a permit and asks nothing
	return due.Add(late)
}
