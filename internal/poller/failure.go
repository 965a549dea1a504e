package poller

import (
	"errors"

	"jobwatch/internal/diff"
	"jobwatch/internal/job"
	"jobwatch/internal/store"
)

// tellUntoldFailure tells that a job has failed which another watcher has told to be in a failing state, and stopped. While
// the job is in that state, any poll tells it; when it has left that state, nothing but what the other told does. If told
// is true, what the store knows has changed since it was recalled.
func (p *Poller) tellUntoldFailure(j trackedJob, known store.Known, seen *job.Observation) (told bool, err error) {
	shows := job.Same(known.Told.State, seen.Snapshot.State) && !idReused(known, &seen.Snapshot)
	if !known.RefreshPending || known.Told.FailureState || shows {
		return false, nil
	}
	held, _, err := p.Store.Snapshot(j.id)
	if err != nil {
		return false, &storeError{err}
	}
	at := known.LastProgress // when the other saw it, unless what is held is of our own
	if at.IsZero() {
		at = seen.Answered
	}
	result := store.PollResult{
		Known: known, Seen: job.Observation{Snapshot: held, Asked: known.Asked, Answered: at},
		Changes: diff.UntoldFailure(known.Told, &held), NotBefore: known.Asked, LastProgress: known.LastProgress,
	}
	if len(result.Changes) == 0 {
		return false, nil
	}
	if err = p.Store.Commit(result); errors.Is(err, store.ErrChanged) {
		return true, nil
	}
	if err == nil {
		p.Counts.events(result.Changes, &held, result.NotBefore, at)
	}
	return true, wrapStore(err)
}
