package poller

import "time"

const (
	bridgeMargin = 5 * time.Minute // a job's end may be in the list so much later: CommServes update jobs in such steps
	noteEvery    = time.Minute     // a note costs a write
)

// margin is less for who wants to hear only of what ended a moment ago: what the list may name is kept.
func (p *Poller) margin() time.Duration { return min(bridgeMargin, p.FinishedWithin) }

// bridge remembers when the Job list was last read to its end, as the store does: the next list has to
// reach back to then, or what ended meanwhile is never heard of.
type bridge struct {
	read bool // from the store
	last time.Time
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
	if p.bridge.read {
		return p.bridge.last, nil
	}
	last, err := p.Store.LastList(p.CommCell)
	if err == nil {
		p.bridge.read, p.bridge.last = true, last
	}
	return p.bridge.last, err
}

// listed notes a list that was read to its end, now and then: one noted too early only makes the next reach further.
func (p *Poller) listed(asked time.Time) error {
	if since := asked.Sub(p.bridge.last); since >= 0 && since < p.atMost(noteEvery, p.KeepFinished/4) {
		return nil
	}
	err := p.Store.NoteList(p.CommCell, asked)
	if err == nil {
		p.bridge.last = asked
	}
	return err
}

// doNotBridge has a list that is read again some day begin anew: what ended while nobody wanted it is not owed.
func (p *Poller) doNotBridge() error {
	last, err := p.lastList()
	if err != nil || last.IsZero() {
		return err
	}
	err = p.Store.NoteList(p.CommCell, time.Time{})
	if err == nil {
		p.bridge.last = time.Time{}
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
