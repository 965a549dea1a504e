package publish

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"jobwatch/internal/crash"
	"jobwatch/internal/event"
	"jobwatch/internal/job"
	"jobwatch/internal/store"
	"jobwatch/internal/stream"
)

// illegible is the reason of an event that cannot be read from the store, and so not be sent.
const illegible = "illegible"

// jobsPerPlace is how many jobs are at work for each event in flight: the others read what is due, or wait for the disk.
const jobsPerPlace = 8

// sendRound publishes what waits and what comes, until the round is over or ctx ends. It returns
// when nothing is in flight any more. end ends the session when the stream turns out to be gone.
func (p *Publisher) sendRound(ctx context.Context, end context.CancelCauseFunc) {
	round := time.NewTimer(p.Round)
	defer round.Stop()
	var group errgroup.Group
	group.SetLimit(jobsPerPlace * p.InFlight)
	defer group.Wait()

	spoken, stop := p.listen(ctx)
	defer stop()
	ids, err := p.Store.Waiting()
	for {
		if err != nil {
			end(err)
			return
		}
		for _, id := range ids {
			group.Go(func() error {
				p.drain(ctx, id, end)
				return nil
			})
		}
		select {
		case <-p.Store.Wake():
			ids = p.Store.TakeFresh()
		case id := <-spoken:
			ids = []job.ID{id}
		case <-round.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// drain sends a job's events, oldest first, one in flight. A job that another goroutine drains is
// left to it.
func (p *Publisher) drain(ctx context.Context, id job.ID, end context.CancelCauseFunc) {
	if !p.claims.take(id) {
		return
	}
	for {
		p.attend(ctx, id)
		more := p.sendNext(ctx, id, end)
		if !more && p.claims.release(id) {
			return
		}
	}
}

// sendNext sends what is due of a job; false if that is nothing, or nothing that can be sent now.
func (p *Publisher) sendNext(ctx context.Context, id job.ID, end context.CancelCauseFunc) (more bool) {
	due, err := p.Store.Due(id)
	if err == nil && len(due.Rows) == 0 {
		p.refused.cleared(id) // whoever has taken the job over may have had its event dropped
		return false
	}
	if err == nil && ctx.Err() != nil {
		return false
	}
	if err == nil {
		err = p.send(ctx, id, due)
	}
	var refused *stream.RefusedError
	switch {
	case err == nil:
		p.refused.cleared(id)
		return true
	case errors.As(err, &refused):
		p.refused.stopped(id, refused)
		return false
	case errors.Is(err, stream.ErrNoStream):
		end(err)
		return false
	case ctx.Err() != nil:
		return false
	}
	p.Log.Warn("not acknowledged; trying again", "job", id.String(), "err", err)
	pause(ctx, pauseAfterError)
	return true
}

// send publishes events of a job, each when that before it is acknowledged, until one is not. They leave the outbox
// only on the broker's acknowledgement, and together: until then a crash leaves them to reconcile.
func (p *Publisher) send(ctx context.Context, id job.ID, due store.Due) error {
	var acked []store.Acked
	var failed error
	m := stream.Outgoing{Filter: event.Filter(p.Prefix, id), ExpectLast: due.Expect}
	for _, row := range due.Rows {
		m.Data = row.Event
		if m.ID, m.Subject, failed = event.Address(p.Prefix, id, row.Event); failed != nil {
			failed = &stream.RefusedError{Reason: illegible, Text: p.Store.Illegible(id, failed).Error()}
			break
		}
		if m.ExpectLast, failed = p.publish(ctx, m); failed != nil {
			break
		}
		acked = append(acked, store.Acked{ID: m.ID, Sequence: row.Sequence, Stream: m.ExpectLast})
	}
	if len(acked) > 0 {
		err := p.Store.AcknowledgeAll(id, acked)
		crash.At(crash.AfterAcknowledgement)
		if err != nil {
			return err
		}
	}
	switch {
	case errors.Is(failed, stream.ErrBusy):
		pause(ctx, pauseAfterError)
		return p.reconcile(ctx, id)
	case errors.Is(failed, stream.ErrSequence):
		return p.reconcile(ctx, id)
	}
	return failed
}

// publish publishes an event when there is a place in flight.
func (p *Publisher) publish(ctx context.Context, m stream.Outgoing) (sequence uint64, err error) {
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	before := p.places.highest()
	sequence, err = p.Broker.Publish(ctx, m)
	<-p.slots
	var refused *stream.RefusedError
	if err != nil && !errors.As(err, &refused) {
		p.refused.passed(err)
	}
	if err != nil {
		return 0, err
	}
	crash.At(crash.AfterPublish)
	p.Counts.Published.Add(1)
	return sequence, p.mind(ctx, m.ID, sequence, before)
}
