package poller

import (
	"time"

	"jobwatch/internal/job"
	"jobwatch/internal/store"
)

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
