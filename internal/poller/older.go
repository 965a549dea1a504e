package poller

import (
	"errors"
	"time"

	"jobwatch/internal/job"
	"jobwatch/internal/store"
)

// errOlder is an answer older than the last: a cache, or a server behind the others.
var errOlder = errors.New("an answer older than the last one")

const olderInARow = 3 // agreeing answers that say a clock was set back

// accepts says whether an answer is no older than the last observation, by when it was asked for and
// by its own time. Three older ones in a row that agree among themselves are believed: then a clock
// was set back. A newer foreign event resets the count: the clock was
// not set back.
func (s *cachedJob) accepts(known store.Known, seen *job.Observation) bool {
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

// olderAnswer is no observation, but it knows the job: that ends a row of misses.
func (p *Poller) olderAnswer(j trackedJob, known store.Known) error {
	err := p.keepMisses(j.id, known, store.Misses{})
	if err != nil && !errors.Is(err, store.ErrChanged) {
		return &storeError{err}
	}
	j.cached.misses, j.cached.pending = 0, 0
	return errOlder
}
