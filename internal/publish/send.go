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

// sendRound publishes what waits and what comes, until the round is over or ctx ends. It returns
// when nothing is in flight any more. end ends the session when the stream turns out to be gone.
func (p *Publisher) sendRound(ctx context.Context, end context.CancelCauseFunc) {
	round := time.NewTimer(p.Round)
	defer round.Stop()
	var group errgroup.Group
	group.SetLimit(p.InFlight)
	defer group.Wait()

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
		more := p.sendNext(ctx, id, end)
		if !more && p.claims.release(id) {
			return
		}
	}
}

// sendNext sends the oldest event of a job; false if there is none, or none that can be sent now.
func (p *Publisher) sendNext(ctx context.Context, id job.ID, end context.CancelCauseFunc) (more bool) {
	next, found, err := p.Store.Oldest(id)
	if err == nil && !found {
		p.refused.cleared(id) // whoever has taken the job over may have had its event dropped
		return false
	}
	if err == nil && ctx.Err() != nil {
		return false
	}
	if err == nil {
		err = p.send(ctx, id, next)
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

// send publishes one event. It leaves the outbox only on the broker's acknowledgement.
func (p *Publisher) send(ctx context.Context, id job.ID, next store.Unsent) error {
	subject, err := next.Event.Address(p.Prefix)
	if err != nil {
		return err
	}
	sequence, err := p.publish(ctx, stream.Outgoing{
		Subject: subject, Filter: event.Filter(p.Prefix, id), ID: next.Event.ID, ExpectLast: next.Expect, Data: next.Row,
	})
	var refused *stream.RefusedError
	if err != nil && !errors.As(err, &refused) {
		p.refused.passed(err)
	}
	switch {
	case err == nil:
		crash.At(crash.AfterPublish)
		p.Counts.Published.Add(1)
		err = p.Store.Acknowledge(id, next.Event, sequence)
		crash.At(crash.AfterAcknowledgement)
		return err
	case errors.Is(err, stream.ErrBusy):
		pause(ctx, pauseAfterError)
		return p.reconcile(ctx, id)
	case errors.Is(err, stream.ErrSequence):
		return p.reconcile(ctx, id)
	}
	return err
}
