package poller

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"jobwatch/internal/commvault"
	"jobwatch/internal/diff"
	"jobwatch/internal/job"
	"jobwatch/internal/store"
)

// miss is an answer that does not know the job asked for.
type miss struct {
	trackedJob
	at  time.Time // it was complete
	err error
}

// noteJob notes whether a poll has shown the job; a miss is counted when the cycle has asked for all.
func (c *cycle) noteJob(j trackedJob, err error) (missed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case err == nil, errors.Is(err, errOlder):
		c.shown++
	case errors.Is(err, commvault.ErrUnknownJob):
		c.missing = append(c.missing, miss{j, time.Now(), err})
		return true
	}
	return false
}

// allUnknown says whether the CommServe seems to have forgotten all of its jobs, which is its own fault and
// loses none of them: it has shown no job, be it in details or in the Job list. One job alone may be
// all that it had, if else it answers.
func (c *cycle) allUnknown(listed int) bool {
	return c.shown == 0 && listed == 0 && (len(c.missing) > 1 || len(c.missing) == 1 && c.err != nil)
}

// countMisses sees to the jobs that a cycle asked for and the CommServe did not know.
func (p *Poller) countMisses(ctx context.Context, c *cycle) error {
	allUnknown := c.allUnknown(p.cycleState.lines)
	const words = "no job asked for is known, and none is listed: a fault of the CommServe; none is told as lost"
	if allUnknown && !p.cycleState.allUnknown && p.repeats.news(words, 1, 1) > 0 {
		p.Log.Warn(words, "commcell", p.CommCell, "count", len(c.missing))
	}
	p.cycleState.allUnknown = allUnknown
	group, counting := errgroup.WithContext(ctx)
	group.SetLimit(missesAtOnce)
	for _, m := range c.missing {
		if counting.Err() != nil {
			break
		}
		if allUnknown {
			p.Counts.polled(string(commvault.UnknownJob))
		} else {
			p.report(ctx, m.id, m.err)
		}
		group.Go(func() error { return p.countMiss(m, allUnknown || p.listedIn(c, &m.trackedJob)) })
	}
	return group.Wait()
}

// listedIn says whether the cycle's own Job list has a line of the job: then the CommServe knows it, whatever its details
// say. A final poll is given up all the same: the job's end is told, and a list may name it for days.
func (p *Poller) listedIn(c *cycle, j *trackedJob) bool {
	p.cache.mu.Lock()
	defer p.cache.mu.Unlock()
	s := p.cache.jobs[j.id.Number]
	return s != nil && c.list != 0 && s.line.list == c.list && j.why != store.FinalPoll
}

const (
	missesInARow = 3  // unknown, not shown to us and missing for a moment look the same
	missesAtOnce = 64 // that share a transaction
)

// countMiss counts a miss; one of a cycle that knew no job at all ends the run, as does one of a job that is listed. A
// job that was missed long enough is lost. What waits for its refresh waits for no more than three misses, of whatever
// cycles: no poll may ever tell more than the newest snapshot stored.
func (p *Poller) countMiss(m miss, endsRun bool) error {
	if !p.cache.claim(&m.trackedJob) {
		return nil
	}
	defer p.cache.release(m.trackedJob)
	if m.cached.asked.After(m.at) {
		return nil // seen by an unscheduled poll meanwhile
	}
	known, err := p.Store.Recall(m.id)
	if err != nil {
		return err
	}
	p.noteUnseenEnd(&m, known)
	run := store.Misses{}
	if !endsRun {
		run = oneMore(known.Misses, m.at)
	}
	if err := p.keepMisses(m.id, known, run); errors.Is(err, store.ErrChanged) {
		return nil // left to the next cycle
	} else if err != nil {
		return err
	}
	m.cached.misses = int32(run.Count)
	gone := run.Count >= missesInARow
	resolve := m.cached.missPending(known) >= missesInARow || gone && known.RefreshPending
	ended := gone && m.why == store.FinalPoll && known.Terminal // its end is told: the CommServe has forgotten it, as it may
	lost := gone && !ended && p.LostAfter > 0 && m.at.Sub(run.Since) >= p.LostAfter
	if !lost && !resolve && !ended {
		return nil
	}
	return p.giveUp(m, known, gone, lost)
}

// missPending counts the misses in a row of a job whose refresh is pending. Another foreign event begins a new row.
func (s *cachedJob) missPending(known store.Known) uint8 {
	asked := uint32(known.Asked.Unix())
	if !known.RefreshPending || asked != s.pendingAs {
		s.pending = 0
	}
	s.pendingAs = asked
	if known.RefreshPending {
		s.pending = min(s.pending+1, missesInARow)
	}
	return s.pending
}

// noteUnseenEnd counts a job whose end the Job list names, and whose details the CommServe does not know, or not any
// more. A line is no observation: nothing is told of that end, but that the job is lost once the list names it no more.
func (p *Poller) noteUnseenEnd(m *miss, known store.Known) {
	if known.Terminal || m.cached.unseen == missesInARow {
		return
	}
	end := p.cache.listedEnd(m.id.Number)
	if end == "" {
		m.cached.unseen = 0
		return
	}
	if m.cached.unseen++; m.cached.unseen == missesInARow {
		p.Counts.unseenEnd()
		p.logSparingly(slog.LevelWarn, "the Job list names a job's end, and its details are not known: the end cannot be told", "", failingJobs,
			"job", m.id.String(), "state", string(end))
	}
}

func (p *Poller) keepMisses(id job.ID, known store.Known, run store.Misses) error {
	if run == known.Misses {
		return nil
	}
	return p.Store.Miss(id, known, run)
}

// oneMore counts as far as it matters, so that a job that stays missing costs three writes. A clock that was set back
// begins a new run.
func oneMore(run store.Misses, at time.Time) store.Misses {
	if run.Count == 0 || at.Before(run.Since) {
		return store.Misses{Count: 1, Since: at}
	}
	run.Count = min(run.Count+1, missesInARow)
	return run
}

// giveUp tells what there still is to tell of a job that the CommServe does not know. One that is not gone for all that is
// known is polled on; one whose end is told with this as after any poll, but for the final one, which was not made.
func (p *Poller) giveUp(m miss, known store.Known, gone, lost bool) error {
	stored, _, err := p.Store.Snapshot(m.id)
	if err != nil {
		return err
	}
	stored.CommCell, stored.Number = m.id.CommCell, m.id.Number
	result := store.PollResult{
		Known: known, Seen: job.Observation{Snapshot: stored, Asked: known.Asked, Answered: m.at}, Missed: true,
		NotBefore: m.cached.notBefore(known), LastProgress: known.LastProgress,
	}
	if known.RefreshPending {
		if !known.Updated.IsZero() && idReused(known, &stored) {
			result.Known.Told, result.NotBefore = job.Told{}, time.Time{} // nothing was told of this one
		}
		result.Changes = diff.Since(result.Known.Told, &stored)
	}
	result.Changes = append(result.Changes, diff.Watched(result.ToldAfter(), &stored, diff.Watch{Lost: lost})...)
	switch {
	case gone:
		result.Untrack = m.why != store.Configured && (lost || stored.Terminal)
	case stored.Terminal && m.why != store.FinalPoll:
		result.Ended, result.Untrack = m.ends(true, p.moreToTell(&result))
	}
	if len(result.Changes) == 0 && !result.Untrack && !known.RefreshPending {
		return nil // a configured job, told as lost before
	}
	err = p.Store.Commit(result)
	if errors.Is(err, store.ErrChanged) {
		return nil // left to the next cycle
	}
	if err != nil {
		return err
	}
	p.Counts.events(result.Changes, &stored, result.NotBefore, m.at)
	if result.Ended || result.Untrack {
		p.cache.forget(m.trackedJob)
	}
	return nil
}
