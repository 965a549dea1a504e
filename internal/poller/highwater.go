package poller

import "time"

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
	if p.highWater.loaded {
		return p.highWater.at, nil
	}
	last, err := p.Store.LastList(p.CommCell)
	if err == nil {
		p.highWater.loaded, p.highWater.at = true, last
	}
	return p.highWater.at, err
}

// raiseHighWaterMark notes a list that was read to its end, but not each one: an old mark only makes the next list reach further.
func (p *Poller) raiseHighWaterMark(asked time.Time) error {
	if since := asked.Sub(p.highWater.at); since >= 0 && since < p.atMost(markEvery, p.KeepFinished/4) {
		return nil
	}
	err := p.Store.SetLastList(p.CommCell, asked)
	if err == nil {
		p.highWater.at = asked
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
		p.highWater.at = time.Time{}
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
