package poller

import (
	"math"
	"slices"
	"sync/atomic"
	"time"

	"jobwatch/internal/job"
	"jobwatch/internal/store"
)

// cachedJob is what this process remembers of its own last polls of a job. The store keeps only
// observations that changed something. There may be 100,000 of them: each byte here is 200 kB of memory.
type cachedJob struct {
	asked   time.Time // of the last observation; zero: none in this process
	updated int64     // its own time, by the CommServe's clock, in Unix seconds

	progress   lastProgress
	older      int32  // answers older than that one, in a row
	misses     int32  // answers without the job, in a row, as the store has them
	unseen     uint8  // answers without the job, in a row, while the list names its end; as far as it matters
	olderClock int64  // the own time of the last older one, in Unix seconds
	failure    string // the last failure that was logged; guarded by the Poller's mu: a miss is reported by who does not poll the job

	olderThan uint32 // what the store went by at that answer: its own time, the low bits of its Unix seconds

	claimed   bool // by who polls the job now; guarded by the Poller's mu, as over is
	forgotten bool // forgotten with the release of the claim
	line      cachedLine

	class   atomic.Int32  // of the last observation's state, in classes
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

// claim keeps two goroutines from polling a job at once: a cycle, and an unscheduled poll. A claimed job stays
// where the next one looks for it until its holder releases it, whatever becomes of the job meanwhile.
func (p *Poller) claim(j *trackedJob) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.cachedLocked(j.id)
	if s.claimed {
		return false
	}
	s.claimed, j.cached, j.changed = true, s, s.line.changed
	return true
}

func (p *Poller) release(j trackedJob) {
	p.mu.Lock()
	defer p.mu.Unlock()
	j.cached.claimed = false
	if j.cached.forgotten {
		p.forgetLocked(j.id.Number)
	}
}

// claimed says whether a goroutine is polling the job now.
func (p *Poller) claimed(id job.ID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.cached[id.Number]
	return s != nil && s.claimed
}

func (p *Poller) cachedLocked(id job.ID) *cachedJob {
	s := p.cached[id.Number]
	if s == nil {
		s = &cachedJob{}
		p.cached[id.Number] = s
	}
	return s
}

// forgetJob ends what is remembered of a job whose end is told, once its poll is over.
func (p *Poller) forgetJob(j trackedJob) {
	p.mu.Lock()
	defer p.mu.Unlock()
	j.cached.forgotten = true
}

// forgetUntracked ends what is remembered of jobs that are followed no more, though no poll was their last.
func (p *Poller) forgetUntracked(tracked []store.Tracked) {
	p.mu.Lock()
	defer p.mu.Unlock()
	jobs := len(p.cached)
	if p.cached[p.id.Number] != nil {
		jobs--
	}
	if jobs <= len(tracked) { // each tracked job is cached once it was polled
		return
	}
	followed := make(map[int64]struct{}, len(tracked))
	for _, j := range tracked {
		followed[j.Number] = struct{}{}
	}
	for number, s := range p.cached {
		if _, is := followed[number]; is || number == p.id.Number {
			continue
		}
		if s.forgotten = true; !s.claimed {
			p.forgetLocked(number)
		}
	}
}

func (p *Poller) forgetLocked(number int64) {
	delete(p.cached, number)
	delete(p.ended, number)
	p.feed.log.forget(number)
}

// settle ends the job's failure, and marks as seen what has changed of its line before the poll, unless the poll has left
// something for the next.
func (p *Poller) settle(j trackedJob, seen *job.Snapshot, again bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := j.cached
	s.failure = ""
	if again {
		s.line.change()
	} else {
		s.line.settle(j.changed, seen)
	}
}

func (s *cachedJob) observed(seen *job.Observation, progress lastProgress) {
	s.asked, s.updated, s.misses, s.unseen = seen.Asked, seen.Snapshot.Updated().Unix(), 0, 0
	s.progress = progress
	s.class.Store(classNumber(seen.Snapshot.StateClass))
	s.show(seen.Snapshot.PercentComplete, seen.Asked)
}

// Progress is what the last answer about a job said of how far it is. It is in no event, and the
// store does not keep it.
type Progress struct {
	Percent *float64 // nil: it said nothing of it
	Asked   time.Time
}

// Progress reads a job's; false if this process has had no answer about it.
func (p *Poller) Progress(number int64) (Progress, bool) {
	p.mu.Lock()
	s := p.cached[number]
	p.mu.Unlock()
	if s == nil || s.shown.Load() == 0 {
		return Progress{}, false
	}
	progress := Progress{Asked: time.Unix(0, s.shown.Load()).UTC()}
	if percent := math.Float64frombits(s.percent.Load()); !math.IsNaN(percent) {
		progress.Percent = &percent
	}
	return progress, true
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
