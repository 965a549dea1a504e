package poller

import (
	"context"
	"errors"
	"time"

	"jobwatch/internal/commvault"
	"jobwatch/internal/diff"
	"jobwatch/internal/job"
	"jobwatch/internal/store"
)

// look asks the CommServe about one job, once, and commits what changed.
// Everything up to Commit may be repeated or lost without harm; after it the events are owed.
func (p *Poller) look(ctx context.Context, j trackedJob) error {
	seen, err := p.ask(ctx, j.id.Number)
	if errors.Is(err, commvault.ErrUnknownJob) {
		return p.missed(j, err)
	}
	if err != nil {
		return err // not an observation: no snapshot, no event
	}
	for {
		known, err := p.Store.Recall(j.id)
		if err != nil {
			return &storeError{err}
		}
		if !p.sight(j.id).newer(known, &seen) {
			return errOlder
		}
		err = p.commit(j, known, seen)
		if !errors.Is(err, store.ErrChanged) {
			return err
		}
	}
}

// commit keeps what an answer shows against what was told; nothing is written where nothing is worth it.
func (p *Poller) commit(j trackedJob, known store.Known, seen job.Observation) error {
	sight := p.sight(j.id)
	look := store.Look{
		Known: known, Seen: seen,
		Changes:   diff.Since(known.Told, &seen.Snapshot),
		NotBefore: sight.before(known),
	}
	told := known.Told.TellAll(look.Changes, &seen.Snapshot)
	ended := seen.Snapshot.Terminal && len(diff.Since(told, &seen.Snapshot)) == 0
	look.Leave = j.why == store.OwedLook || ended && j.why != store.Configured
	if len(look.Changes) == 0 && !known.Owed && !look.Leave && known.Digest == store.Digest(&seen.Snapshot) {
		sight.saw(&seen)
		p.Counts.poll("unchanged")
		return nil
	}
	if err := p.Store.Commit(look); err != nil {
		return wrapStore(err)
	}
	p.Counts.poll("ok")
	p.Counts.events(look.Changes, look.NotBefore, seen.Answered)
	if look.Leave {
		p.forgetSight(j.id)
		return nil
	}
	sight.saw(&seen)
	return nil
}

const missesInARow = 3 // unknown, forbidden and missing for a moment look the same

// missed is an answer that does not know the job. If another watcher has spoken of it, no look will
// ever tell more than the newest snapshot that is held.
func (p *Poller) missed(j trackedJob, cause error) error {
	if p.sight(j.id).miss() < missesInARow {
		return cause
	}
	known, err := p.Store.Recall(j.id)
	if err != nil {
		return &storeError{err}
	}
	if !known.Owed {
		return cause
	}
	held, found, err := p.Store.Snapshot(j.id)
	if err != nil || !found {
		return wrapStore(err)
	}
	look := store.Look{
		Known: known, Seen: job.Observation{Snapshot: held, Asked: known.Asked, Answered: time.Now()},
		Changes: diff.Since(known.Told, &held), NotBefore: known.Asked,
		Leave: j.why != store.Configured,
	}
	err = p.Store.Commit(look)
	if err != nil && !errors.Is(err, store.ErrChanged) {
		return &storeError{err}
	}
	if err == nil {
		p.Counts.events(look.Changes, look.NotBefore, look.Seen.Answered)
	}
	return cause
}

// errOlder is an answer older than the last: a cache, or a server behind the others.
var errOlder = errors.New("an answer older than the last one")

// storeError is a failure of the store, which ends the tick: nothing can be kept.
type storeError struct{ error }

func (e *storeError) Unwrap() error { return e.error }

func wrapStore(err error) error {
	if err == nil || errors.Is(err, store.ErrChanged) {
		return err
	}
	return &storeError{err}
}
