package relay

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"jobwatch/internal/stream"
	"jobwatch/internal/testing/slow"
)

// deaf is a broker whose buckets take nothing more once it is so: whoever writes through it has died, for all others.
type deaf struct {
	Broker
	now atomic.Bool
}

func (d *deaf) Bucket(name string) stream.Bucket { return deafBucket{d.Broker.Bucket(name), d} }

type deafBucket struct {
	stream.Bucket
	deaf *deaf
}

func (b deafBucket) Put(ctx context.Context, e stream.Entry) (uint64, error) {
	if b.deaf.now.Load() {
		return 0, errors.New("dead")
	}
	return b.Bucket.Put(ctx, e)
}

// TestANewRelayThatDiesAtOnce has its consumer deleted before the next one starts: that begins where the first one did,
// not at the end of the stream.
func TestANewRelayThatDiesAtOnce(t *testing.T) {
	slow.Test(t, "12 s", "a lease is given up after the readings of eight seconds")
	t.Parallel()
	w := newWorld(t)
	w.tell(1, 2)
	to := &receiver{}
	dying := &deaf{Broker: w.broker}
	to.set(func(*Event) error {
		dying.now.Store(true)
		return &Refusal{Kind: Away, Reason: "HTTP 503", Status: 503}
	})
	r, stop := w.relays(to, func(c *Config) { c.Broker, c.Start = dying, Start{} })
	until(t, "it delivers", func() bool { return r.Status().State == Delivering })
	w.tell(1)
	until(t, "it has died", dying.now.Load)
	stop()
	if err := w.admin().DeleteConsumer(soon(t), "JOBS", "relay-ops"); err != nil {
		t.Fatal(err)
	}
	w.tell(2, 1)
	to.set(nil)
	next, _ := w.relays(to, func(c *Config) { c.Start = Start{} })
	until(t, "the next one is up to date", func() bool { s := next.Status(); return s.State == Delivering && w.floor() == 5 })
	if got := to.count(); got != 3 {
		t.Errorf("%d events arrived, want the 3 told since it began: %v", got, to.ids(0))
	}
}
