package publish

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"jobwatch/internal/job"
	"jobwatch/internal/stream"
)

// slowBroker is a broker that takes longer to answer than a round lasts.
type slowBroker struct {
	Broker
	flying atomic.Int64
	read   atomic.Int64 // times that the stream was read
	flew   atomic.Int64 // of these, while something was in flight
}

func (s *slowBroker) Publish(ctx context.Context, m stream.Outgoing) (uint64, error) {
	s.flying.Add(1)
	defer s.flying.Add(-1)
	<-time.After(100 * time.Millisecond)
	return s.Broker.Publish(ctx, m)
}

func (s *slowBroker) Info(ctx context.Context) (stream.Info, error) {
	s.read.Add(1)
	s.flew.Add(s.flying.Load())
	return s.Broker.Info(ctx)
}

// What is read while an event is in flight could be settled against what we expected before it.
func TestNothingIsInFlightWhileTheStreamIsRead(t *testing.T) {
	w := newWorld(t)
	x := w.watcher("a.db")
	for _, state := range []job.Text{"Running", "Pending", "Suspended", "Completed"} {
		x.sees(71, state, "")
	}
	b := &slowBroker{Broker: w.broker()}
	p := New(Config{Store: x.store, Broker: b, Round: 10 * time.Millisecond})
	stop := run(t, p.Run)
	w.until("all is sent, and the stream is read again", func() bool { return x.store.Unsent() == 0 && b.read.Load() >= 2 })
	stop()
	if n := b.flew.Load(); n > 0 {
		t.Errorf("the stream was read with %d events in flight", n)
	}
}
