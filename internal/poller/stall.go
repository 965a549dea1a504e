package poller

import (
	"time"

	"jobwatch/internal/diff"
	"jobwatch/internal/job"
	"jobwatch/internal/store"
)

// lastProgress is how far a job last said it is, and since when it has said no more than that.
type lastProgress struct {
	shown job.Progress
	since int64 // when an answer that said so was first asked for, by the steady clock, in Unix nanoseconds; 0: none
}

// trackProgress gives a job's last progress with this poll, whose changes are those of its answer, and whether the job
// has stalled or moved. The time counts from a change of state, too: a job that waited for an hour and runs again has
// not stalled.
func (p *Poller) trackProgress(s *cachedJob, l *store.PollResult) (lastProgress, diff.Watch, error) {
	last, err := p.recallProgress(s, l.Known, l.Seen.ID())
	seen := &l.Seen.Snapshot
	now := lastProgress{last.shown.Next(seen), last.since}
	moved := last.since != 0 && now.shown != last.shown
	entered := len(l.Changes) > 0 && l.Changes[0].Kind == job.KindState
	if asked := p.steady(l.Seen.Asked); last.since == 0 || last.since > asked || moved || entered || expectsNoProgress(seen) {
		now.since = asked
	}
	return now, diff.Watch{Stalled: p.withoutProgress(now.since, &l.Seen, p.StallAfter), Moved: moved}, err
}

// expectsNoProgress says whether a job is in a state in which it makes none. An answer without a state says nothing of
// it.
func expectsNoProgress(s *job.Snapshot) bool { return s.StateClass != "" && !active(s) }

func active(s *job.Snapshot) bool { return s.StateClass == job.Text(job.Active) }

// recallProgress gives the last progress as of the poll before. After a restart it is that of the stored snapshot:
// where the job has come further since, it had not stalled; where it has not, halfwayToStalled had it stored.
func (p *Poller) recallProgress(s *cachedJob, known store.Known, id job.ID) (lastProgress, error) {
	if !s.asked.IsZero() || known.LastProgress.IsZero() {
		return s.progress, nil
	}
	held, found, err := p.Store.Snapshot(id)
	if err != nil || !found {
		return lastProgress{}, err
	}
	return lastProgress{job.Progress{}.Next(&held), known.LastProgress.UnixNano()}, nil
}

// withoutProgress says whether an active job has shown no progress for so long.
func (p *Poller) withoutProgress(since int64, seen *job.Observation, long time.Duration) bool {
	return p.StallAfter > 0 && active(&seen.Snapshot) && p.steady(seen.Asked)-since >= int64(long)
}

// steady is a time of just now as our clock would give it had nobody set it since the start, in Unix nanoseconds: that no
// job has moved for a year, because the clock was set forward by one, is no news.
func (p *Poller) steady(at time.Time) int64 {
	now := time.Now()
	set := now.UnixNano() - p.beganAt - int64(now.Sub(p.began))
	return at.UnixNano() - set
}

// halfwayToStalled has the time of a job's last progress written once on the way to a stall, so that a restart forgets at
// most half of it. Progress itself is never a reason to write.
func (p *Poller) halfwayToStalled(l *store.PollResult) bool {
	return !l.LastProgress.Equal(l.Known.LastProgress) && p.withoutProgress(l.LastProgress.UnixNano(), &l.Seen, p.StallAfter/2)
}

// toKeep is since when an active job shows its progress, for the store to keep.
func (p lastProgress) toKeep(seen *job.Snapshot) time.Time {
	if expectsNoProgress(seen) {
		return time.Time{}
	}
	return time.Unix(0, p.since).UTC()
}
