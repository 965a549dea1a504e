package poller

import (
	"time"

	"jobwatch/internal/diff"
	"jobwatch/internal/job"
	"jobwatch/internal/store"
)

// pace is how far a job says it is, and since when it says no more.
type pace struct {
	progress job.Progress
	since    int64 // when it was first asked for, by our clock, in Unix nanoseconds; 0: not seen
	moved    bool  // it was another look before
}

// paceOf gives the pace with a look, whose changes are those of its answer. The time counts from another
// state too: a job that waited for an hour has not stalled.
func (p *Poller) paceOf(s *sight, l store.Look) (pace, error) {
	last, err := p.lastPace(s, l.Known, l.Seen.ID())
	seen := &l.Seen.Snapshot
	next := pace{progress: last.progress.Next(seen), since: last.since}
	next.moved = last.since != 0 && next.progress != last.progress
	entered := len(l.Changes) > 0 && l.Changes[0].Kind == job.KindState
	if last.since == 0 || next.moved || entered || rests(seen) {
		next.since = l.Seen.Asked.UnixNano()
	}
	return next, err
}

// rests says whether a job is in a state that wants no progress. An answer without a state says nothing of it.
func rests(s *job.Snapshot) bool { return s.StateClass != "" && !active(s) }

func active(s *job.Snapshot) bool { return s.StateClass == job.Text(job.Active) }

// lastPace is the pace with the look before. After a restart it is that of the last snapshot kept: if the
// job has come further since, it was not stalled; if not, halfStalled has seen to it that it was kept.
func (p *Poller) lastPace(s *sight, known store.Known, id job.ID) (pace, error) {
	if !s.asked.IsZero() || known.Still.IsZero() {
		return s.pace, nil
	}
	held, found, err := p.Store.Snapshot(id)
	if err != nil || !found {
		return pace{}, err
	}
	return pace{progress: job.Progress{}.Next(&held), since: known.Still.UnixNano()}, nil
}

// watch says what the pace means.
func (p *Poller) watch(pace pace, seen *job.Observation) diff.Watch {
	return diff.Watch{Stalled: p.stillFor(pace.since, seen, p.StallAfter), Moved: pace.moved}
}

func (p *Poller) stillFor(since int64, seen *job.Observation, long time.Duration) bool {
	return p.StallAfter > 0 && active(&seen.Snapshot) && seen.Asked.UnixNano()-since >= int64(long)
}

// halfStalled has the progress written once on the way to a stall, so that a restart forgets at most half of
// the time; progress itself is never a reason to write.
func (p *Poller) halfStalled(l store.Look) bool {
	return !l.Still.Equal(l.Known.Still) && p.stillFor(l.Still.UnixNano(), &l.Seen, p.StallAfter/2)
}

// still is since when an active job shows the progress, for the store to keep.
func (p pace) still(seen *job.Snapshot) time.Time {
	if rests(seen) {
		return time.Time{}
	}
	return time.Unix(0, p.since).UTC()
}
