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
	ended.Go(func() { b.lookOn(looking, s) })
	s.last(ctx)
	stop()
	ended.Wait()
}

func (b *Broker) lookOn(ctx context.Context, s *session) {
	ticker := time.NewTicker(b.cfg.LookEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			b.lookAgain(ctx, s)
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

// lookAgain refutes the verdict where it holds no more. Two looks that get no answer are a server that does not serve.
func (b *Broker) lookAgain(ctx context.Context, s *session) {
	for tries := 0; tries < 2 && b.fits(s); tries++ {
		err := b.look(ctx, s)
		if err == nil || ctx.Err() != nil || s.isLost() {
			return
		}
		if misfit := (*MisfitError)(nil); tries == 1 || errors.As(err, &misfit) || errors.Is(err, jetstream.ErrStreamNotFound) {
			b.refute(s, err)
		}
	}
}
