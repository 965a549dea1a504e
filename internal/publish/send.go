package publish

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"golang.org/x/sync/errgroup"

	"jobwatch/internal/event"
	"jobwatch/internal/failpoint"
	"jobwatch/internal/job"
	"jobwatch/internal/store"
	"jobwatch/internal/stream"
)

// undecodable is the reason of an event that cannot be read from the store, and so not be sent.
const undecodable = "illegible"

// jobsPerSlot is how many jobs are at work for each event in flight: the others read what is due, or wait for the disk.
const jobsPerSlot = 8

// sendRound publishes what waits and what comes, until the round is over or ctx ends. It returns
// when nothing is in flight any more. end ends the session when the stream turns out to be gone.
func (p *Publisher) sendRound(ctx context.Context, end context.CancelCauseFunc) {
	var group errgroup.Group
	group.SetLimit(jobsPerSlot * p.InFlight)
	defer group.Wait()
	round, over := context.WithTimeout(ctx, p.Round)
	defer over()

	named := p.startTail(ctx, end)
	ids, err := p.Store.Waiting()
	ids = append(ids, p.named.all()...) // those that the last round left
	for {
		if err != nil {
			end(err)
			return
		}
		for _, id := range ids {
			if p.wanted.any() {
				return
			}
			group.Go(func() error {
				p.drain(ctx, round, id, end)
				return nil
			})
		}
		select {
		case <-p.Store.Wake():
			ids = p.Store.TakeFresh()
		case id := <-named:
			ids = []job.ID{id}
		case <-p.wanted.wake:
			return
		case <-round.Done():
			return
		}
	}
}

// drain sends a job's events, oldest first, one in flight. A job that another goroutine is sending is skipped. One that
// gets nowhere is left to the next round when this one is over: the end of a round waits for all its jobs.
func (p *Publisher) drain(ctx, round context.Context, id job.ID, end context.CancelCauseFunc) {
	if !p.claims.take(id) {
		return
	}
	for before := (tries{}); ; {
		p.reconcileNamed(ctx, id, end)
		switch p.sendNext(ctx, round, id, &before, end) {
		case acknowledged:
			if p.wanted.any() { // the next round finds what is left
				p.claims.drop(id)
				return
			}
			before = tries{}
		case again:
			if round.Err() != nil {
				p.claims.drop(id)
				return
			}
			before.all++
		case done:
			if p.claims.release(id) {
				return
			}
			before = tries{}
		}
	}
}

// tries counts those in a row in which nothing of a job was acknowledged.
type tries struct {
	all     int
	refused int // of them, those whose expected sequence was refused
}

// outcome is what became of a job's next events.
type outcome int

const (
	done         outcome = iota // nothing is due, or nothing that can be sent now
	acknowledged                // some were
	again                       // none was; another try may do better
)

// mostRefused is how often in a row a job's expected sequence may be refused though what the stream holds of the job is
// read each time. Two watchers of one job need two.
const mostRefused = 5

// sendNext sends what is due of a job.
func (p *Publisher) sendNext(ctx, round context.Context, id job.ID, before *tries, end context.CancelCauseFunc) outcome {
	due, err := p.Store.Due(id)
	if err == nil && len(due.Rows) == 0 {
		p.refused.clear(id) // adopting a foreign event may have dropped the one that was refused
		return done
	}
	if err == nil && ctx.Err() != nil {
		return done
	}
	if p.resent.blocks(id) {
		err = errLostTwice
	}
	acked := 0
	if err == nil {
		acked, err = p.send(ctx, id, due)
	}
	if acked > 0 {
		p.refused.clear(id)
		*before = tries{}
	}
	if errors.Is(err, stream.ErrSequence) || errors.Is(err, stream.ErrBusy) {
		if err = p.settleRefusal(ctx, round, id, before, err); err == nil && acked == 0 {
			return again
		}
	}
	if err == nil {
		return acknowledged
	}
	return p.handleFailure(ctx, round, id, before.all, err, end)
}

// settleRefusal reconciles a job whose event was not stored.
func (p *Publisher) settleRefusal(ctx, round context.Context, id job.ID, before *tries, refusal error) error {
	switch {
	case errors.Is(refusal, stream.ErrBusy):
		pause(round, p.backoff(before.all))
	case before.refused == mostRefused:
		return &stream.RefusedError{Reason: stream.Misfit, Text: "the stream refuses what is expected of a job again and again, though what " +
			"it holds of the job was read each time; find out who else writes to the job's subjects, or removes from them"}
	default:
		before.refused++
	}
	return p.reconcile(ctx, id)
}

// handleFailure does what an error calls for. One that says nothing of the event's fate is followed by a wait.
func (p *Publisher) handleFailure(ctx, round context.Context, id job.ID, tries int, err error, end context.CancelCauseFunc) outcome {
	var refused *stream.RefusedError
	var misfit *stream.MisfitError
	switch {
	case errors.As(err, &refused):
		p.refused.stop(id, refused)
		return done
	case errors.As(err, &misfit), errors.Is(err, stream.ErrNoStream):
		end(err)
		return done
	case ctx.Err() != nil:
		return done
	}
	p.causes.report(slog.LevelWarn, "not acknowledged; trying again", err, "job", id.String())
	pause(round, p.backoff(tries))
	return again
}

// send publishes events of a job, each when that before it is acknowledged, until one is not. They leave the outbox
// only on the broker's acknowledgement, and together: until then a crash leaves them to reconcile.
func (p *Publisher) send(ctx context.Context, id job.ID, due store.Due) (acknowledged int, failed error) {
	var acked []store.Acked
	m := stream.Outgoing{Filter: event.Filter(p.Prefix, id), ExpectLast: due.Expect}
	for _, row := range due.Rows {
		m.Data = row.Event
		if m.ID, m.Subject, failed = event.Address(p.Prefix, id, row.Event); failed != nil {
			failed = &stream.RefusedError{Reason: undecodable, Text: p.Store.Corrupt(id, failed).Error()}
			break
		}
		if m.ExpectLast, failed = p.publish(ctx, id, m); failed != nil {
			break
		}
		acked = append(acked, store.Acked{ID: m.ID, Sequence: row.Sequence, Stream: m.ExpectLast})
	}
	if len(acked) > 0 {
		err := p.Store.AcknowledgeAll(id, acked)
		failpoint.Pass(failpoint.AfterAcknowledgement)
		if err != nil {
			return 0, err
		}
	}
	return len(acked), failed
}

// publish publishes an event once a slot in flight is free and it is known where its subject leads.
func (p *Publisher) publish(ctx context.Context, id job.ID, m stream.Outgoing) (sequence uint64, err error) {
	untraced, release, err := p.verifyRoute(ctx, id, m.Subject)
	if err != nil {
		if ctx.Err() == nil { // else nothing was sent
			p.countFailure(m.Subject, err)
		}
		return 0, err
	}
	if !untraced {
		return p.publishInto(ctx, m)
	}
	verified := false
	defer func() { release(verified) }()
	if sequence, err = p.publishInto(ctx, m); err == nil {
		err = p.verifyStored(ctx, m, sequence)
	}
	verified = err == nil
	return sequence, err
}

func (p *Publisher) publishInto(ctx context.Context, m stream.Outgoing) (sequence uint64, err error) {
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	before := p.positions.highest()
	sequence, err = p.Broker.Publish(ctx, m)
	<-p.slots
	if err != nil {
		p.countFailure(m.Subject, err)
		return 0, err
	}
	failpoint.Pass(failpoint.AfterPublish)
	p.succeeded()
	return sequence, p.detectRollback(ctx, m.ID, sequence, before)
}

// countFailure counts a publish that failed, and shows it in Stopped where nobody knows what became of the event.
func (p *Publisher) countFailure(subject string, err error) {
	var refused *stream.RefusedError
	var misfit *stream.MisfitError
	_ = p.noteMisrouted(subject, err)
	if errors.As(err, &refused) || errors.As(err, &misfit) {
		return // counted where a job, or everything, is stopped
	}
	p.refused.retried(err)
	if retryReason(err) == unknownOutcome {
		p.failing.Store(&err)
	}
}

// succeeded counts an event that has reached the stream.
func (p *Publisher) succeeded() {
	if p.failing.Load() != nil {
		p.failing.Store(nil)
		p.causes.recovered()
	}
	p.Counts.Published.Add(1)
}

// claims ensure that one goroutine at a time sends a job's events.
type claims struct {
	mu    sync.Mutex
	taken map[job.ID]bool // true: asked for again meanwhile; guarded by mu
}

// take claims a job; false if another goroutine has it, which will then try once more before it releases the job.
func (c *claims) take(id job.ID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.taken == nil {
		c.taken = map[job.ID]bool{}
	}
	_, busy := c.taken[id]
	c.taken[id] = busy
	return !busy
}

// release gives a job up; false if it was asked for meanwhile, and stays claimed.
func (c *claims) release(id job.ID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.taken[id] {
		c.taken[id] = false
		return false
	}
	delete(c.taken, id)
	return true
}

// drop gives a job up, asked for or not: the next round finds it, since events of it wait.
func (c *claims) drop(id job.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.taken, id)
}
