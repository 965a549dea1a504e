package poller

import (
	"time"

	"jobwatch/internal/commvault"
	"jobwatch/internal/diff"
	"jobwatch/internal/job"
)

// resumption is how a list sweep goes on where another process has left off: an earlier start, or the watcher that has
// polled the CommCell until now. A job whose line in the first list says what was told of it waits for its time in
// FullRefresh, as it would have waited there; the others are polled at once.
type resumption struct {
	done  bool      // a list was read to its end
	since time.Time // no job was due before that has not been polled; zero: nothing is known of it
}

// resumeFrom notes how far the Job list had been read before the first list of this process. The cycle that read it may
// not have come to its polls.
func (p *Poller) resumeFrom(last, now time.Time) {
	if p.cycleState.resumed.done || last.IsZero() || last.After(now) {
		return
	}
	p.cycleState.resumed.since = last.Add(now.Sub(p.Schedule.Next(now)))
}

// compareWithTold marks the jobs of a page of the first list whose line says what was told of them. Its error is one of
// the store's.
func (p *Poller) compareWithTold(lines []commvault.Line) error {
	if r := p.cycleState.resumed; r.done || r.since.IsZero() || !SweepsByList(p.Sweep, autoFrom) {
		return nil
	}
	for i := range lines {
		line := &lines[i]
		if !p.cache.isNew(line.Number) {
			continue
		}
		told, agrees, err := p.agreesWithTold(line)
		if err != nil {
			return &storeError{err}
		}
		if agrees {
			p.cache.resume(line, &told)
		}
	}
	return nil
}

// agreesWithTold says whether the details of an unfinished job need not be asked for now: its line shows all that an event
// may be about, as far as lines do, and that is what was told, which is all that was seen of it.
func (p *Poller) agreesWithTold(line *commvault.Line) (told job.Told, agrees bool, err error) {
	id := job.ID{CommCell: p.CommCell, Number: line.Number}
	known, err := p.Store.Recall(id)
	told = known.Told
	if err != nil || known.Asked.IsZero() || known.RefreshPending || known.Terminal || known.Misses.Count > 0 || told.Lost || told.Stalled {
		return told, false, err
	}
	if !saysWhatWasTold(line, &told) || startedAfter(known, line.StartTime) {
		return told, false, nil
	}
	held, found, err := p.Store.Snapshot(id)
	return told, found && !held.Terminal && len(diff.Since(told, &held)) == 0, err
}

func saysWhatWasTold(line *commvault.Line, told *job.Told) bool {
	switch {
	case line.Status == "" || line.Finished() || line.EndTime != nil || !job.Same(line.Status, told.State),
		!job.Same(line.Phase, told.Phase),
		line.FailedFiles == nil || *line.FailedFiles > told.Files,
		line.FailedFolders == nil || *line.FailedFolders > told.Folders:
		return false
	case line.ReasonCode != "" && told.ReasonCode != "":
		return line.ReasonCode == told.ReasonCode
	}
	return line.Reason.WithoutNumbers() == told.Reason.WithoutNumbers()
}

// isNew says whether a job was not polled in this process, and is not being polled now.
func (c *jobCache) isNew(number int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.jobs[number]
	return s != nil && !s.claimed && s.asked.IsZero()
}

// resume takes the line of a job that was not polled in this process for settled.
func (c *jobCache) resume(line *commvault.Line, told *job.Told) {
	class := classNumber(job.Text(job.LookUp(told.State, false).Class))
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.jobs[line.Number]
	if s == nil || s.claimed || !s.asked.IsZero() {
		return
	}
	s.resumed, s.line.changed = true, 0
	s.class.Store(class)
	s.since.Store(stuckSince(class, told))
	if line.Percent != nil {
		s.show(line.Percent, time.Now())
	}
}
