package poller

import (
	"context"
	"time"

	"jobwatch/internal/commvault"
	"jobwatch/internal/failpoint"
	"jobwatch/internal/job"
	"jobwatch/internal/store"
)

// discover reads the Job list and tracks what it names, the filter takes, and is not told to its end. What is tracked
// already is followed to its end, whatever a changed filter says: its events would never come to one.
func (p *Poller) discover(ctx context.Context) error {
	if !p.Discover {
		return p.list(ctx, p.FinishedWithin, func(lines []commvault.Line) error {
			p.cache.readLines(lines)
			return nil
		})
	}
	asked := time.Now()
	within, err := p.lookBack(asked)
	if err != nil {
		return &storeError{err}
	}
	p.resumeFrom(p.cycleState.highWater.at, asked)
	var filtered filterResult
	err = p.list(ctx, within, func(lines []commvault.Line) error {
		err := p.track(filtered.pass(p.Filter, lines))
		p.cache.readLines(lines)
		if err == nil {
			err = p.compareWithTold(lines)
		}
		return err
	})
	if err != nil {
		return err
	}
	p.cycleState.resumed.done = true
	failpoint.Pass(failpoint.Discovery)
	p.warnIfNothingPasses(&filtered)
	return wrapStore(p.raiseHighWaterMark(asked))
}

func (p *Poller) track(lines []commvault.Line) error {
	var found []job.ID
	for _, line := range lines {
		id := job.ID{CommCell: p.CommCell, Number: line.Number}
		ended, err := p.toldToTheEnd(id, line)
		if err != nil {
			return &storeError{err}
		}
		if !ended {
			found = append(found, id)
		}
	}
	err := wrapStore(p.Store.Track(store.Discovered, found...))
	if err == nil {
		p.cache.addFound(found)
	}
	return err
}

// toldToTheEnd says whether a finished job of the list needs no poll any more.
func (p *Poller) toldToTheEnd(id job.ID, line commvault.Line) (bool, error) {
	if line.Status != "" && !line.Finished() {
		return false, nil
	}
	known, err := p.Store.Recall(id)
	return known.Terminal && !known.RefreshPending && !startedAfter(known, line.StartTime), err
}

const (
	listMargin = 5 * time.Minute // a job's end may be in the list so much later: CommServes update jobs in such steps
	markEvery  = time.Minute     // a note costs a write
)

// margin is less where only what ended a moment ago is wanted: what the list may name is kept.
func (p *Poller) margin() time.Duration { return min(listMargin, p.FinishedWithin) }

// highWaterMark is when the Job list was last read to its end, as the store has it: the next list has to
// reach back to then, or what ended meanwhile is never seen.
type highWaterMark struct {
	loaded bool // from the store
	at     time.Time
}

// lookBack is how long ago a job may have ended that the next list names. The CommServe counts it back
// from its own now: whether its clock goes as ours does not matter.
func (p *Poller) lookBack(now time.Time) (time.Duration, error) {
	last, err := p.lastList()
	if err != nil || last.IsZero() {
		return p.FinishedWithin, err
	}
	return max(p.FinishedWithin, now.Sub(last)+p.margin()), nil
}

func (p *Poller) lastList() (time.Time, error) {
	if p.cycleState.highWater.loaded {
		return p.cycleState.highWater.at, nil
	}
	last, err := p.Store.LastList(p.CommCell)
	if err == nil {
		p.cycleState.highWater.loaded, p.cycleState.highWater.at = true, last
	}
	return p.cycleState.highWater.at, err
}

// raiseHighWaterMark notes a list that was read to its end, but not each one: an old mark only makes the next list
// reach further.
func (p *Poller) raiseHighWaterMark(asked time.Time) error {
	if since := asked.Sub(p.cycleState.highWater.at); since >= 0 && since < p.atMost(markEvery, p.KeepFinished/4) {
		return nil
	}
	err := p.Store.SetLastList(p.CommCell, asked)
	if err == nil {
		p.cycleState.highWater.at = asked
	}
	return err
}

// dropHighWaterMark is for a list that nobody wants: one that is read again some day need not reach back to this one.
func (p *Poller) dropHighWaterMark() error {
	last, err := p.lastList()
	if err != nil || last.IsZero() {
		return err
	}
	err = p.Store.SetLastList(p.CommCell, time.Time{})
	if err == nil {
		p.cycleState.highWater.at = time.Time{}
	}
	return err
}

// forgettable is the time before which a finished job must have been seen last to be forgotten: what the
// next list may name again must still be known, or it would be told again.
func (p *Poller) forgettable(now time.Time) (time.Time, error) {
	before := now.Add(-p.KeepFinished)
	last, err := p.lastList()
	if err != nil || last.IsZero() {
		return before, err
	}
	if named := last.Add(-p.margin()); named.Before(before) {
		return named, nil
	}
	return before, nil
}
