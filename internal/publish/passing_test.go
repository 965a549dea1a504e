package publish

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"jobwatch/internal/stream"
)

// passing gives each publish the next of its errors, and stores nothing; then what the broker says.
type passing struct {
	*stream.Broker
	errs  []error
	times atomic.Int64
	last  func() error // of each publish after them; nil: the broker takes it
}

func (b *passing) Publish(ctx context.Context, m stream.Outgoing) (uint64, error) {
	if n := b.times.Add(1); n <= int64(len(b.errs)) {
		return 0, b.errs[n-1]
	}
	if b.last != nil {
		if err := b.last(); err != nil {
			return 0, err
		}
	}
	return b.Broker.Publish(ctx, m)
}

// What was not acknowledged, or met a busy broker, is no refusal of what is expected.
func TestARefusalAfterPassingTroubleStopsNoJob(t *testing.T) {
	w := newWorld(t)
	x := w.watcher("a.db")
	x.sees(71, "Running", "")
	b := &passing{Broker: w.broker()}
	for range mostRefused {
		b.errs = append(b.errs, errors.New("no answer"), stream.ErrBusy)
	}
	b.errs = append(b.errs, &stream.SequenceError{Last: 7})
	p := New(Config{Store: x.store, Broker: b, Round: 100 * time.Millisecond})
	run(t, p.Run)
	w.until("all is sent", func() bool { return x.store.Unsent() == 0 })
	if byReason, _ := p.Refusals(); byReason[stream.Misfit] > 0 {
		t.Errorf("refused: %v", byReason)
	}
	w.holds(71, "1 state:  → Running")
}

// untraced never tells where a subject leads.
type untraced struct {
	*stream.Broker
	asked chan struct{}
}

func (b *untraced) Trace(ctx context.Context, _ string) error {
	b.asked <- struct{}{}
	<-ctx.Done()
	return ctx.Err()
}

// What was never published, since all ended before, is not what nobody has acknowledged.
func TestTheEndBeforeAPublishIsNoFailure(t *testing.T) {
	w := newWorld(t)
	x := w.watcher("a.db")
	x.sees(71, "Running", "")
	x.sees(72, "Running", "") // waits for what is found out for the first
	b := &untraced{w.broker(), make(chan struct{}, 10)}
	p := New(Config{Store: x.store, Broker: b, Round: time.Minute})
	stop := run(t, p.Run)
	<-b.asked
	stop()
	if n := p.Errors()[unknownOutcome]; n > 0 || p.failing.Load() != nil {
		t.Errorf("%d are counted as unacknowledged: %v", n, p.Stopped())
	}
}

// A purge of a full stream, while what it had lost waits to be sent again, loses nothing a second time.
func TestAPurgeBeforeWhatWasLostIsSentAgain(t *testing.T) {
	a := newAccounts(t, "A {jetstream: enabled, "+full+"}")
	js, err := a.js.Stream(t.Context(), "JOBS")
	if err != nil {
		t.Fatal(err)
	}
	x := a.watcher()
	x.store.KeepSent = time.Hour
	conn := a.broker()
	x.seesJobs(1, 1)
	x.publishes(conn)
	before, err := js.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := js.DeleteMsg(t.Context(), before.State.LastSeq); err != nil {
		t.Fatal(err)
	}
	var room atomic.Bool
	b := &passing{Broker: conn, last: func() error {
		if room.Load() {
			return nil
		}
		return &stream.RefusedError{Reason: stream.StreamFull, Text: "the stream is full"}
	}}
	p := x.publisher(b)
	run(t, p.Run)
	x.w.until("what was lost is refused", func() bool { _, stopped := p.Refusals(); return stopped == 1 && b.times.Load() > 0 })
	if err := js.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	room.Store(true)
	x.w.until("all is sent", func() bool { return x.store.Unsent() == 0 })
	if byReason, _ := p.Refusals(); byReason[stream.Misfit] > 0 {
		t.Errorf("refused: %v", byReason)
	}
	if n := len(a.own(1)); n != 1 {
		t.Errorf("the stream holds %d events of the job, want the one that was lost", n)
	}
}

// stuck is a broker that is busy with one job for as long as it lasts.
type stuck struct {
	*stream.Broker
	job   string // of its subject
	times atomic.Int64
	over  atomic.Bool
}

func (b *stuck) Publish(ctx context.Context, m stream.Outgoing) (uint64, error) {
	if strings.HasPrefix(m.Subject, b.job) && !b.over.Load() {
		b.times.Add(1)
		return 0, stream.ErrBusy
	}
	return b.Broker.Publish(ctx, m)
}

// A round that is over does not wait for a job that gets nowhere, as one does whose event the broker takes for a
// duplicate for two minutes: all others would wait with it.
func TestAJobThatGetsNowhereHoldsUpNoOther(t *testing.T) {
	w := newWorld(t)
	x := w.watcher("a.db")
	x.sees(71, "Running", "")
	b := &stuck{Broker: w.broker(), job: "jobs.prod.71."}
	p := New(Config{Store: x.store, Broker: b, Round: 100 * time.Millisecond})
	run(t, p.Run)
	w.until("the first round is long over", func() bool { return b.times.Load() > 20 }) // a pause is a quarter of it
	x.sees(72, "Running", "")
	w.until("the other is sent", func() bool { return x.store.Unsent() == 1 })
	b.over.Store(true)
	w.until("all is sent", func() bool { return x.store.Unsent() == 0 })
	w.holds(71, "1 state:  → Running")
	w.holds(72, "1 state:  → Running")
}
