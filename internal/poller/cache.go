package poller

import (
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"jobwatch/internal/job"
	"jobwatch/internal/store"
)

// jobCache is what this process remembers of the jobs that it polls. All goroutines of a Poller share it.
//
// Whoever polls a job claims its entry first: what follows from answers (asked to olderThan) is the claim holder's alone,
// and handed on with the claim. claimed, forgotten, failure and line are guarded by mu; the rest is atomic.
type jobCache struct {
	log feedLog // of these jobs; it has a lock of its own

	mu    sync.Mutex
	jobs  map[int64]*cachedJob // by number, 0 is the CommCell itself; guarded by mu, as the rest is
	ended map[int64]job.Text   // the finished states that lines of the list name, of the jobs above
	lists uint32               // counts the lists that were begun; the last one is the current one
}

const theCommCell = 0 // among the job numbers

// init takes in the configured jobs: their first line is to be known at their first poll.
func (c *jobCache) init(configured []int64) {
	c.jobs, c.ended = map[int64]*cachedJob{}, map[int64]job.Text{}
	for _, number := range configured {
		c.jobs[number] = &cachedJob{}
	}
}

// cachedJob is what is remembered of a job's last polls. The store keeps only observations that changed something.
// There may be 100,000 of them: each byte here is 100 kB of memory.
type cachedJob struct {
	asked   time.Time // of the last observation; zero: none in this process
	updated int64     // its own time, by the CommServe's clock, in Unix seconds

	progress   lastProgress
	older      int32  // answers older than that one, in a row
	misses     int32  // answers without the job, in a row, as the store has them
	unseen     uint8  // answers without the job, in a row, while the list names its end; as far as it matters
	pending    uint8  // answers without the job, in a row, while its refresh is pending; as far as it matters
	pendingAs  uint32 // when the foreign event's answer was asked for, in Unix seconds (low bits); another one ends the row
	olderClock int64  // the own time of the last older one, in Unix seconds
	failure    string // the last failure that was logged; a miss is reported by who does not poll the job

	olderThan uint32 // the store's last update as of that answer, in Unix seconds (low bits); another one ends the row

	resumed   bool // not polled by this process, for its line said what was told of it
	claimed   bool // a goroutine is polling the job
	forgotten bool // with the release of the claim
	line      cachedLine

	class   atomic.Int32  // of the last observation's state, in classes
	since   atomic.Uint32 // of a held job, when that was told, of a stalled one, when that was, in Unix seconds; else 0
	percent atomic.Uint64 // bits of a float64; with shown what Progress reads
	shown   atomic.Int64  // asked, Unix nanoseconds
}

// classes gives each class a number that a cachedJob can hold; 0 is that of a job without a state.
var classes = [...]job.Class{job.Unknown, job.Queued, job.Active, job.Held, job.Succeeded, job.Partial, job.Failed, job.Killed}

// finishedClasses are those that a job does not leave.
var finishedClasses = [len(classes)]bool{4: true, 5: true, 6: true, 7: true}

const unknownClass = 0

func classNumber(class job.Text) int32 {
	return int32(max(slices.Index(classes[:], job.Class(class)), unknownClass))
}

// claim keeps two goroutines from polling a job at once: a cycle, and an unscheduled poll. A claimed entry stays
// where the next one looks for it until its holder releases it, whatever becomes of the job meanwhile.
func (c *jobCache) claim(j *trackedJob) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.entryLocked(j.id.Number)
	if s.claimed {
		return false
	}
	s.claimed, j.cached, j.changed = true, s, s.line.changed
	return true
}

func (c *jobCache) release(j trackedJob) {
	c.mu.Lock()
	defer c.mu.Unlock()
	j.cached.claimed = false
	if j.cached.forgotten {
		c.forgetLocked(j.id.Number)
	}
}

// claimed says whether a goroutine is polling the job now.
func (c *jobCache) claimed(number int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.jobs[number]
	return s != nil && s.claimed
}

func (c *jobCache) entry(number int64) *cachedJob {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.jobs[number]
}

func (c *jobCache) entryLocked(number int64) *cachedJob {
	s := c.jobs[number]
	if s == nil {
		s = &cachedJob{}
		c.jobs[number] = s
	}
	return s
}

// forget ends what is remembered of a job whose end is told, once its poll is over.
func (c *jobCache) forget(j trackedJob) {
	c.mu.Lock()
	defer c.mu.Unlock()
	j.cached.forgotten = true
}

// forgetUntracked ends what is remembered of jobs that are followed no more, though no poll was their last.
func (c *jobCache) forgetUntracked(tracked []store.Tracked) {
	c.mu.Lock()
	defer c.mu.Unlock()
	jobs := len(c.jobs)
	if c.jobs[theCommCell] != nil {
		jobs--
	}
	if jobs <= len(tracked) { // each tracked job is cached once it was polled
		return
	}
	followed := make(map[int64]struct{}, len(tracked))
	for _, j := range tracked {
		followed[j.Number] = struct{}{}
	}
	for number, s := range c.jobs {
		if _, is := followed[number]; is || number == theCommCell {
			continue
		}
		if s.forgotten = true; !s.claimed {
			c.forgetLocked(number)
		}
	}
}

func (c *jobCache) forgetLocked(number int64) {
	delete(c.jobs, number)
	delete(c.ended, number)
	c.log.forget(number)
}

// settle ends the job's failure, and marks as seen what has changed of its line before the poll, unless the poll has left
// something for the next.
func (c *jobCache) settle(j trackedJob, seen *job.Snapshot, again bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := j.cached
	s.failure = ""
	switch {
	case again:
		s.line.change()
	case c.ended[j.id.Number] != "" && !seen.Terminal: // an end is no other word for that: the details lag
	default:
		s.line.settle(j.changed, seen)
	}
}

func (s *cachedJob) observed(seen *job.Observation, told *job.Told, progress lastProgress) {
	s.asked, s.updated, s.misses, s.unseen, s.pending = seen.Asked, seen.Snapshot.Updated().Unix(), 0, 0, 0
	s.progress = progress
	class := classNumber(seen.Snapshot.StateClass)
	s.class.Store(class)
	s.since.Store(stuckSince(class, told))
	s.show(seen.Snapshot.PercentComplete, seen.Asked)
}

// stuckSince is what a cachedJob keeps as since.
func stuckSince(class int32, told *job.Told) uint32 {
	switch {
	case classes[class] == job.Held:
		return uint32(told.StateSince)
	case told.Stalled:
		return uint32(max(told.StalledSince, 1)) // 1: not known
	}
	return 0
}

// Progress is what the last answer about a job said of how far it is. It is in no event, and the
// store does not keep it.
type Progress struct {
	Percent *float64 // nil: it said nothing of it
	Asked   time.Time
}

// Progress reads a job's; false if this process has had no answer about it.
func (p *Poller) Progress(number int64) (Progress, bool) {
	s := p.cache.entry(number)
	if s == nil || s.shown.Load() == 0 {
		return Progress{}, false
	}
	progress := Progress{Asked: time.Unix(0, s.shown.Load()).UTC()}
	if percent := math.Float64frombits(s.percent.Load()); !math.IsNaN(percent) {
		progress.Percent = &percent
	}
	return progress, true
}

// EachProgress yields how far each unfinished job is that this process has had an answer about; NaN: it said nothing of it.
func (p *Poller) EachProgress(yield func(number int64, percent float64)) {
	p.cache.mu.Lock()
	defer p.cache.mu.Unlock()
	for number, s := range p.cache.jobs {
		if s.shown.Load() != 0 && !finishedClasses[s.class.Load()] {
			yield(number, math.Float64frombits(s.percent.Load()))
		}
	}
}

// show lets others read the answer's progress while the Poller goes on.
func (s *cachedJob) show(percent *float64, asked time.Time) {
	said := math.NaN()
	if percent != nil {
		said = *percent
	}
	s.percent.Store(math.Float64bits(said))
	s.shown.Store(asked.UnixNano())
}

// showLine goes by what the list says of a job that was polled; not every list tells percents.
func (s *cachedJob) showLine(percent *float64, read time.Time) {
	if percent != nil && s.shown.Load() != 0 {
		s.show(percent, read)
	}
}
