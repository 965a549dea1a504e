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
// Everything up to Commit may be repeated or lost without harm; after it the events are in the outbox.
func (p *Poller) poll(ctx context.Context, j trackedJob) error {
	for {
		known, err := p.Store.Recall(j.id) // first: if a foreign event comes meanwhile, the answer may be older than that
		if err != nil {
			return &storeError{err}
		}
		seen, err := p.ask(ctx, j)
		if err != nil {
			return err // not an observation: no snapshot, no event
		}
		if !j.cached.accepts(known, &seen) {
			return p.olderAnswer(j, known)
		}
		told, err := p.tellUntoldFailure(j, known, &seen)
		if err != nil {
			return err
		}
		if told {
			continue
		}
		err = p.commit(j, known, seen)
		if !errors.Is(err, store.ErrChanged) {
			return err
		}
	}
}

// commit compares an answer with what was told and stores what is new in it; nothing is written where nothing is.
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
		j.cached.observed(&seen, &result.Known.Told, progress)
		p.cache.settle(j, &seen.Snapshot, p.stateMayCome(&result))
		p.Counts.polled("unchanged")
		return nil
	}
	if len(result.Changes) > 0 {
		result.Log = p.cache.log.until(j.id.Number, seen.Answered)
	}
	if err := p.Store.Commit(result); err != nil {
		return wrapStore(err)
	}
	if len(result.Changes) > 0 {
		p.cache.log.carried(j.id.Number, seen.Answered)
	}
	p.Counts.polled("ok")
	p.Counts.events(result.Changes, &seen.Snapshot, result.NotBefore, seen.Answered)
	if result.Ended || result.Untrack {
		p.cache.forget(j)
		return nil
	}
	told := result.ToldAfter()
	j.cached.observed(&seen, &told, progress)
	p.cache.settle(j, &seen.Snapshot, p.moreToTell(&result))
	return nil
}

// compare fills in what has changed, by the answer and by the clock, and whether that is the end.
func (p *Poller) compare(j trackedJob, l *store.PollResult) (lastProgress, error) {
	seen := &l.Seen.Snapshot
	l.Changes = diff.Since(l.Known.Told, seen)
	progress, watch, err := p.trackProgress(j.cached, l)
	l.LastProgress = progress.toKeep(seen)
	l.Changes = append(l.Changes, diff.Watched(l.ToldAfter(), seen, watch)...)
	l.Ended, l.Untrack = j.ends(seen.Terminal, p.moreToTell(l))
	return progress, err
}

func (p *Poller) worthKeeping(l *store.PollResult) bool {
	return len(l.Changes) > 0 || l.Ended || l.Untrack || l.Known.RefreshPending || l.Known.Told.Lost || l.Known.Misses.Count > 0 ||
		l.Known.Digest != store.Digest(&l.Seen.Snapshot) || p.halfwayToStalled(l) || clockSetBack(l)
}

// idReused says whether an answer is of another job than the one known under its number: a restored CommServe database
// hands numbers out again. That job has started after the last that was seen of the old one, by the CommServe's clock.
// A start that is absent or has shifted tells nothing: one after the answer's own time is a shifted one, and that of a
// job which waited may be when it left the queue. Without a state there is no event yet that could begin the new job.
func idReused(known store.Known, seen *job.Snapshot) bool {
	waited := !known.Terminal && job.LookUp(known.Told.State, false).Class == job.Queued
	return seen.State != "" && !waited && seen.BeganAfter(lastSeen(known))
}

// startedAfter says whether a start lies after the last that was seen of a job.
func startedAfter(known store.Known, start *time.Time) bool {
	last := lastSeen(known)
	return start != nil && !last.IsZero() && start.After(last)
}

func lastSeen(known store.Known) time.Time {
	if known.Updated.IsZero() {
		return known.Asked
	}
	return known.Updated
}

// storeError is a failure of the store, which ends the cycle: nothing can be kept.
type storeError struct{ error }

func (e *storeError) Unwrap() error { return e.error }

func wrapStore(err error) error {
	if err == nil || errors.Is(err, store.ErrChanged) {
		return err
	}
	return &storeError{err}
}
