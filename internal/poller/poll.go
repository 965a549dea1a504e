package poller

import (
	"context"
	"errors"
	"time"

	"jobwatch/internal/diff"
	"jobwatch/internal/job"
	"jobwatch/internal/store"
)

// poll asks the CommServe about one job, once, and commits what changed.
// Everything up to Commit may be repeated or lost without harm; after it the events are owed.
func (p *Poller) poll(ctx context.Context, j trackedJob) error {
	for {
		known, err := p.Store.Recall(j.id) // first: if another watcher speaks meanwhile, the answer may be older than that
		if err != nil {
			return &storeError{err}
		}
		seen, err := p.ask(ctx, j)
		if err != nil {
			return err // not an observation: no snapshot, no event
		}
		if !j.cached.newer(known, &seen) {
			return p.olderAnswer(j, known)
		}
		err = p.commit(j, known, seen)
		if !errors.Is(err, store.ErrChanged) {
			return err
		}
	}
}

// commit keeps what an answer shows against what was told; nothing is written where nothing is worth it.
func (p *Poller) commit(j trackedJob, known store.Known, seen job.Observation) error {
	result := store.PollResult{Known: known, Seen: seen, NotBefore: j.cached.notBefore(known)}
	if idReused(known, &seen.Snapshot) {
		result.Known.Told, result.NotBefore = job.Told{}, time.Time{} // nothing was told of this one
	}
	progress, err := p.compare(j, &result)
	if err != nil {
		return &storeError{err}
	}
	if !p.worthKeeping(&result) {
		j.cached.observed(&seen, progress)
		p.settle(j, &seen.Snapshot, p.stateMayCome(&result))
		p.Counts.polled("unchanged")
		return nil
	}
	if len(result.Changes) > 0 {
		result.Log = p.feed.log.until(j.id.Number, seen.Answered)
	}
	if err := p.Store.Commit(result); err != nil {
		return wrapStore(err)
	}
	if len(result.Changes) > 0 {
		p.feed.log.carried(j.id.Number, seen.Answered)
	}
	p.Counts.polled("ok")
	p.Counts.events(result.Changes, result.NotBefore, seen.Answered)
	if result.Ended || result.Untrack {
		p.forgetJob(j)
		return nil
	}
	j.cached.observed(&seen, progress)
	p.settle(j, &seen.Snapshot, p.moreToTell(&result))
	return nil
}

// compare fills in what has changed, by the answer and by the clock, and whether that is the end.
func (p *Poller) compare(j trackedJob, l *store.PollResult) (lastProgress, error) {
	seen := &l.Seen.Snapshot
	l.Changes = diff.Since(l.Known.Told, seen)
	progress, watch, err := p.trackProgress(j.cached, l)
	l.LastProgress = progress.toKeep(seen)
	l.Changes = append(l.Changes, diff.Watched(l.Told(), seen, watch)...)
	l.Ended, l.Untrack = j.ends(seen.Terminal, p.moreToTell(l))
	return progress, err
}

func (p *Poller) worthKeeping(l *store.PollResult) bool {
	return len(l.Changes) > 0 || l.Ended || l.Untrack || l.Known.RefreshPending || l.Known.Told.Lost || l.Known.Misses.Count > 0 ||
		l.Known.Digest != store.Digest(&l.Seen.Snapshot) || p.halfwayToStalled(l) || clockSetBack(l)
}

// errOlder is an answer older than the last: a cache, or a server behind the others.
var errOlder = errors.New("an answer older than the last one")

// storeError is a failure of the store, which ends the cycle: nothing can be kept.
type storeError struct{ error }

func (e *storeError) Unwrap() error { return e.error }

func wrapStore(err error) error {
	if err == nil || errors.Is(err, store.ErrChanged) {
		return err
	}
	return &storeError{err}
}
