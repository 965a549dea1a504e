package poller

import (
	"errors"
	"slices"
	"time"

	"jobwatch/internal/diff"
	"jobwatch/internal/job"
	"jobwatch/internal/store"
)

// finalPollAfter is how long after its end was told a job is polled once more: a CommServe fills in details
// later, and recalculates a parent's end. It updates jobs in steps of five minutes.
const finalPollAfter = 5 * time.Minute

// finalPollDelay is less where finished jobs are kept for less than twice that: what waits for its final poll is not
// forgotten.
func (p *Poller) finalPollDelay() time.Duration { return p.atMost(finalPollAfter, p.KeepFinished/2) }

// atMost gives a time, or a part of KeepFinished where that is shorter.
func (p *Poller) atMost(d, part time.Duration) time.Duration {
	if p.KeepFinished <= 0 {
		return d
	}
	return min(d, part)
}

// ends says what becomes of a job after a poll: whether it finishes, with a final poll to come, or leaves. more says
// that the poll has left something to tell for the next.
func (j trackedJob) ends(terminal, more bool) (finishes, leaves bool) {
	toldToTheEnd := terminal && !more
	switch j.why {
	case store.Configured:
		return false, false
	case store.Refresh:
		return false, !more && (terminal || !j.owed) // whoever polls next polls it
	case store.FinalPoll:
		return false, toldToTheEnd
	default:
		return toldToTheEnd, false
	}
}

// moreToTell says whether a poll leaves something for the next.
func (p *Poller) moreToTell(l *store.PollResult) bool {
	return len(diff.Since(l.ToldAfter(), &l.Seen.Snapshot)) > 0 || p.stateMayCome(l)
}

// stateMayCome says of a finished job without a state whether one is still to be asked for: a summary may find its job
// a moment later only. What was first seen of the end is what the store holds, for nothing changes behind it.
func (p *Poller) stateMayCome(l *store.PollResult) bool {
	if !l.Seen.Snapshot.EndsWithoutState() || job.LookUp(l.Known.Told.State, false).Finished {
		return false
	}
	since := l.Seen.Asked.Sub(l.Known.Asked)
	return !l.Known.Terminal || since >= 0 && since < p.finalPollDelay()
}

// jobsToPoll gives the tracked jobs, without those whose final poll is still to come.
func (p *Poller) jobsToPoll() ([]store.Tracked, error) {
	tracked, err := p.Store.Tracked(p.CommCell)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	var broken error
	return slices.DeleteFunc(tracked, func(j store.Tracked) bool {
		waits, err := p.waitsForFinalPoll(j, now)
		broken = errors.Join(broken, err)
		return waits
	}), broken
}

// waitsForFinalPoll is false for a job of which there is a foreign event, or that was found running again.
func (p *Poller) waitsForFinalPoll(j store.Tracked, now time.Time) (bool, error) {
	if j.Why != store.FinalPoll {
		return false, nil
	}
	known, err := p.Store.Recall(job.ID{CommCell: p.CommCell, Number: j.Number})
	if err != nil || known.RefreshPending || !known.Terminal {
		return false, err
	}
	since := now.Sub(known.Asked)
	return since >= 0 && since < p.finalPollDelay(), nil
}
