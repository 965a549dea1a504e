package poller

import (
	"time"

	"jobwatch/internal/job"
	"jobwatch/internal/store"
)

// sight is what this process remembers of its own last looks at a job. The store keeps only
// observations that changed something. There may be 100,000 of them: each byte here is 200 kB of memory.
type sight struct {
	asked   time.Time // of the last observation; zero: none in this process
	updated int64     // its own time, by the CommServe's clock, in Unix seconds

	older      int32  // answers older than that one, in a row
	misses     int32  // answers without the job, in a row
	olderClock int64  // the own time of the last older one, in Unix seconds
	failure    string // the last failure that was logged
}

func (p *Poller) sight(id job.ID) *sight {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.sights[id.Number]
	if s == nil {
		s = &sight{}
		p.sights[id.Number] = s
	}
	return s
}

func (p *Poller) forgetSight(id job.ID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.sights, id.Number)
}

const olderInARow = 3 // agreeing answers that say a clock was set back

// newer says whether an answer is no older than the last observation, by when it was asked for and
// by its own time. Three older ones in a row that agree among themselves are believed: then a clock
// was set back.
func (s *sight) newer(known store.Known, seen *job.Observation) bool {
	asked, updated := s.asked, s.updated
	if asked.IsZero() {
		asked, updated = known.Asked, known.Updated.Unix()
	}
	clock := seen.Snapshot.Updated()
	own := clock.Unix()
	behind := !clock.IsZero() && own < updated
	if !behind && !seen.Asked.Before(asked) {
		s.older = 0
		return true
	}
	if s.older > 0 && own < s.olderClock {
		s.older = 0
	}
	s.older++
	s.olderClock = own
	if s.older < olderInARow {
		return false
	}
	s.older = 0
	return true
}

// before is when the last observation still known was asked for. After another watcher has spoken
// it is that watcher's.
func (s *sight) before(known store.Known) time.Time {
	if known.Owed || s.asked.IsZero() {
		return known.Asked
	}
	return s.asked
}

func (s *sight) saw(seen *job.Observation) {
	s.asked, s.updated, s.misses = seen.Asked, seen.Snapshot.Updated().Unix(), 0
}

func (s *sight) miss() int32 {
	s.misses++
	return s.misses
}
