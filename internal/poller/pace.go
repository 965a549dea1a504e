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
	since    int64 // when an answer that said so was first asked for, by the steady clock, in Unix nanoseconds; 0: none
}

// keepPace gives the pace with a poll, whose changes are those of its answer, and what to make of it. The
// time counts from another state too: a job that waited for an hour and runs again has not stalled.
func (p *Poller) keepPace(s *cachedJob, l *store.Look) (pace, diff.Watch, error) {
	last, err := p.lastPace(s, l.Known, l.Seen.ID())
	seen := &l.Seen.Snapshot
	now := pace{last.progress.Next(seen), last.since}
	moved := last.since != 0 && now.progress != last.progress
	entered := len(l.Changes) > 0 && l.Changes[0].Kind == job.KindState
	if asked := p.steady(l.Seen.Asked); last.since == 0 || last.since > asked || moved || entered || rests(seen) {
		now.since = asked
	}
	return now, diff.Watch{Stalled: p.idle(now.since, &l.Seen, p.StallAfter), Moved: moved}, err
}

// rests says whether a job is in a state that wants no progress. An answer without a state says nothing of it.
func rests(s *job.Snapshot) bool { return s.StateClass != "" && !active(s) }

func active(s *job.Snapshot) bool { return s.StateClass == job.Text(job.Active) }

// lastPace is the pace with the poll before. After a restart it is that of the last snapshot kept: where the
// job has come further since, it had not stalled; where it has not, halfStalled had it kept.
func (p *Poller) lastPace(s *cachedJob, known store.Known, id job.ID) (pace, error) {
	if !s.asked.IsZero() || known.Still.IsZero() {
		return s.pace, nil
	}
	held, found, err := p.Store.Snapshot(id)
	if err != nil || !found {
		return pace{}, err
	}
	return pace{job.Progress{}.Next(&held), known.Still.UnixNano()}, nil
}

// idle says whether an active job has shown no progress for so long.
func (p *Poller) idle(since int64, seen *job.Observation, long time.Duration) bool {
	return p.StallAfter > 0 && active(&seen.Snapshot) && p.steady(seen.Asked)-since >= int64(long)
}

// steady is a time of just now as our clock would give it had nobody set it since the start, in Unix nanoseconds: that no
// job has moved for a year, because the clock was set forward by one, is no news.
func (p *Poller) steady(at time.Time) int64 {
	now := time.Now()
	set := now.UnixNano() - p.beganAt - int64(now.Sub(p.began))
	return at.UnixNano() - set
}

// halfStalled has a job's progress written once on the way to a stall, so that a restart forgets at most
// half of the time. Progress itself is never a reason to write.
func (p *Poller) halfStalled(l *store.Look) bool {
	return !l.Still.Equal(l.Known.Still) && p.idle(l.Still.UnixNano(), &l.Seen, p.StallAfter/2)
}

// still is since when an active job shows its progress, for the store to keep.
func (p pace) still(seen *job.Snapshot) time.Time {
	if rests(seen) {
		return time.Time{}
	}
	return time.Unix(0, p.since).UTC()
}
