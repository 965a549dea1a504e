package poller

import (
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

const olderInARow = 3 // agreeing answers that say a clock was set back

// newer says whether an answer is no older than the last observation, by when it was asked for and
// by its own time. Three older ones in a row that agree among themselves are believed: then a clock
// was set back. The row ends where another watcher tells what is newer meanwhile: it was not.
func (s *cachedJob) newer(known store.Known, seen *job.Observation) bool {
	asked, updated := s.asked, s.updated
	if asked.IsZero() {
		asked, updated = known.Asked, known.Updated.Unix()
	}
	updated = max(updated, known.Updated.Unix()) // another watcher's answer, or one whose commit seemed to fail
	clock := seen.Snapshot.Updated()
	own := clock.Unix()
	behind := !clock.IsZero() && own < updated
	if !behind && !seen.Asked.Before(asked) {
		s.older = 0
		return true
	}
	than := uint32(known.Updated.Unix())
	if s.older > 0 && (own < s.olderClock || than != s.olderThan) {
		s.older = 0
	}
	s.olderThan = than
	s.older++
	s.olderClock = own
	if s.older < olderInARow {
		return false
	}
	s.older = 0
	return true
}

// clockSetBack says whether an answer that was believed is older than what the store goes by.
func clockSetBack(l *store.PollResult) bool {
	own := l.Seen.Snapshot.Updated()
	return !own.IsZero() && own.Unix() < l.Known.Updated.Unix()
}

// notBefore is when the last observation still known was asked for. After a foreign event
// it is that of the watcher which wrote it.
func (s *cachedJob) notBefore(known store.Known) time.Time {
	if known.RefreshPending || s.asked.IsZero() {
		return known.Asked
	}
	return s.asked
}

func (s *cachedJob) observed(seen *job.Observation, progress lastProgress) {
	s.asked, s.updated, s.misses, s.unseen = seen.Asked, seen.Snapshot.Updated().Unix(), 0, 0
	s.progress = progress
	s.class.Store(classNumber(seen.Snapshot.StateClass))
	s.show(seen.Snapshot.PercentComplete, seen.Asked)
}
