package publish

import (
	"context"
	"errors"

	"jobwatch/internal/event"
	"jobwatch/internal/failpoint"
	"jobwatch/internal/job"
	"jobwatch/internal/store"
	"jobwatch/internal/stream"
)

// meaning is why the broker refused the sequence that an event expects, told by the job's last message in the stream.
//
// A fifth is told from foreign only once all events of the job are read: they are of an earlier job with the same id,
// which the store has forgotten. Ours go on behind them, renumbered (adopt).
type meaning int

const (
	delivered   meaning = iota // it is an event that we hold as unsent: its acknowledgement was lost
	resequenced                // it is our last acknowledged event, under another stream sequence: ours go on behind it
	lostEnd                    // there is none, or an older one of ours: what is retained behind it is sent again (resend.go)
	foreign                    // it is of another watcher: what that told is adopted, and ours is replaced by the difference
)

// judge says what the last event of a job in the stream means. holds says that it waits in our
// outbox; a nil last that the stream holds none.
func judge(sent store.Acknowledged, last *event.Event, holds bool) meaning {
	switch {
	case last == nil:
		return lostEnd
	case holds:
		return delivered
	case last.ID == sent.ID:
		return resequenced
	case last.Number() <= sent.Sequence:
		return lostEnd
	}
	return foreign
}

// reconcile finds out why the broker refused an event's expected sequence, and corrects what we expect.
func (p *Publisher) reconcile(ctx context.Context, id job.ID) error {
	last, err := p.Broker.Last(ctx, event.Filter(p.Prefix, id))
	if errors.Is(err, stream.ErrNone) {
		return p.reconcileFold(ctx, id, event.Fold{}, true)
	}
	if err != nil {
		return err
	}
	if want, misplaced := p.isMisplaced(last); misplaced {
		if err := p.checkRoute(ctx, want); err != nil {
			return err
		}
	}
	var fold event.Fold
	p.fold(&fold, last)
	if !fold.Empty() {
		whole := fold.Last.Number() == 1
		if !whole {
			if fold, whole, err = p.goOn(id, fold, last); err != nil {
				return err
			}
		}
		return p.reconcileFold(ctx, id, fold, whole)
	}
	fold, err = p.foldAll(ctx, id) // the last message is none of ours: one before it may be
	if err != nil {
		return err
	}
	return p.reconcileFold(ctx, id, fold, true)
}

// goOn folds a job's last event behind what the store knows was told before it; else it gives the fold as it is.
func (p *Publisher) goOn(id job.ID, fold event.Fold, last stream.Message) (all event.Fold, whole bool, err error) {
	sent, err := p.Store.Acknowledged(id)
	if err != nil {
		return fold, false, err
	}
	before, known, err := p.foldBefore(id, sent, fold.Last.Number())
	if !known || err != nil {
		return fold, false, err
	}
	p.fold(&before, last)
	return before, true, nil
}

// reconcileFold settles a job. What the stream has lost of it is sent again first, where it is retained: once the next
// publish expects what the stream still holds, nothing would show any more that something is missing.
func (p *Publisher) reconcileFold(ctx context.Context, id job.ID, fold event.Fold, whole bool) error {
	sent, found, err := p.meaningOf(id, fold)
	if err == nil && found == lostEnd {
		if err = p.checkLastPlaced(ctx, sent); err == nil {
			err = p.resendJob(ctx, id, fold)
		}
		if err == nil {
			sent, found, err = p.meaningOf(id, fold)
		}
	}
	if err == nil && found == delivered {
		err = p.detectRollback(ctx, fold.Last.ID, fold.Stream, p.positions.highest())
	}
	if err != nil {
		return err
	}
	return p.applyMeaning(ctx, id, sent, found, fold, whole)
}

// meaningOf says what the stream's last event of a job means, and how far the job had come.
func (p *Publisher) meaningOf(id job.ID, fold event.Fold) (sent store.Acknowledged, found meaning, err error) {
	if sent, err = p.Store.Acknowledged(id); err != nil {
		return sent, lostEnd, err
	}
	var last *event.Event
	holds := false
	if !fold.Empty() {
		last = &fold.Last
		if holds, err = p.Store.Holds(id, fold.Last); err != nil {
			return sent, lostEnd, err
		}
	}
	return sent, judge(sent, last, holds), nil
}

// applyMeaning applies what the stream holds of a job, by what that means. whole: the fold has read all of its events.
func (p *Publisher) applyMeaning(ctx context.Context, id job.ID, sent store.Acknowledged, found meaning, fold event.Fold, whole bool) error {
	switch {
	case found == delivered:
		p.succeeded()
		return p.Store.Acknowledge(id, fold.Last, fold.Stream)
	case found == foreign:
		return p.adopt(ctx, id, fold, whole)
	case fold.Stream == sent.Stream || !sent.Known:
		return nil
	}
	return p.Store.Expect(id, fold.Stream)
}

// adopt makes what the stream tells of a job what we have told of it.
func (p *Publisher) adopt(ctx context.Context, id job.ID, fold event.Fold, whole bool) (err error) {
	if !whole {
		if fold, err = p.foldAll(ctx, id); err != nil {
			return err
		}
	}
	if fold.Empty() {
		return nil // purged between two reads; the next refusal says so
	}
	if earlier, err := p.Store.Renumber(id, fold); earlier || err != nil {
		return err
	}
	if fold.Stream > p.startedAt && !p.Store.Minted(fold.Last.ID) && p.Follows(id.CommCell) && !p.Sibling(event.Epoch(fold.Last.ID)) {
		p.foreignWriters.note(id, fold.Last)
	}
	p.Log.Debug("going on from what the stream tells of this job", "job", id.String(), "event", fold.Last.ID)
	if p.Follows(id.CommCell) {
		err = p.Store.Adopt(id, fold)
	} else {
		err = p.Store.StandBy(id, fold)
	}
	failpoint.Pass(failpoint.Adoption)
	return err
}

func (p *Publisher) foldAll(ctx context.Context, id job.ID) (event.Fold, error) {
	var fold event.Fold
	err := p.Broker.Each(ctx, event.Filter(p.Prefix, id), 0, func(m stream.Message) error {
		p.fold(&fold, m)
		return nil
	})
	return fold, err
}

// fold folds a message. An event under another subject than its own is none: it is sent again.
func (p *Publisher) fold(f *event.Fold, m stream.Message) {
	if _, misplaced := p.isMisplaced(m); misplaced {
		m.Data = nil
	}
	f.Add(m.Sequence, m.Data)
}
