package stream

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// guard looks after a connection until it is lost or ctx ends, and leaves it closed. A stream may be edited, or deleted
// and made otherwise, while it is in use: the verdict that it fits must not outlive that.
func (b *Broker) guard(ctx context.Context, s *session) {
	looking, stop := context.WithCancel(ctx)
	var ended sync.WaitGroup
	ended.Go(func() { b.checkPeriodically(looking, s) })
	s.closeWhenDone(ctx)
	s.closeIdle()
	stop()
	ended.Wait()
}

func (b *Broker) checkPeriodically(ctx context.Context, s *session) {
	ticker := time.NewTicker(b.cfg.CheckEvery)
	defer ticker.Stop()
	for unanswered := false; ; {
		select {
		case <-ticker.C:
			unanswered = b.recheck(ctx, s, unanswered)
		case <-b.cfg.InProcess.troubled():
			b.refute(s, b.cfg.InProcess.Trouble())
			return // its restart ends the connection
		case <-s.lost:
			return
		case <-ctx.Done():
			return
		}
	}
}

// recheck refutes the verdict where it holds no more. Two checks in a row without an answer mean a server that does not
// serve; one may have met the election of a leader.
func (b *Broker) recheck(ctx context.Context, s *session, before bool) (unanswered bool) {
	if !b.fits(s) {
		return false
	}
	err := b.inspect(ctx, s)
	if err == nil || ctx.Err() != nil || s.isLost() {
		return false
	}
	if misfit := (*MisfitError)(nil); before || errors.As(err, &misfit) || errors.Is(err, jetstream.ErrStreamNotFound) {
		b.refute(s, err)
		return false
	}
	return true
}
