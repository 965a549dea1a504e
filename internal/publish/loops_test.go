package publish

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"jobwatch/internal/stream"
	"jobwatch/internal/testing/slow"
)

// imports are two accounts: that of the stream, and one that imports the services named, in which jobwatch is.
func imports(services ...string) string {
	text := `A {jetstream: enabled, users: [{user: admin, password: x}], exports: [{service: "$JS.API.>"}, {service: "jobs.>"}, {service: "commcells.>"}]}
B {users: [{user: jobwatch, password: x}], imports: [`
	for _, s := range services {
		text += fmt.Sprintf("{service: {account: A, subject: %q}},", s)
	}
	return text + "]}"
}

// tallying counts what is asked of a broker.
type tallying struct {
	*stream.Broker
	publishes, follows, scans, looks atomic.Int64
}

func (b *tallying) Publish(ctx context.Context, m stream.Outgoing) (uint64, error) {
	b.publishes.Add(1)
	return b.Broker.Publish(ctx, m)
}

func (b *tallying) CheckRoute(ctx context.Context, subject string) error {
	b.looks.Add(1)
	return b.Broker.CheckRoute(ctx, subject)
}

func (b *tallying) FollowHeaders(ctx context.Context, from uint64, yield func(stream.Message) error) error {
	b.follows.Add(1)
	return b.Broker.FollowHeaders(ctx, from, yield)
}

func (b *tallying) Scan(ctx context.Context, from uint64, yield func(stream.Message) error) (uint64, error) {
	b.scans.Add(1)
	return b.Broker.Scan(ctx, from, yield)
}

func TestSubjectsThatAreNotImported(t *testing.T) {
	slow.Test(t, "4 s", "what a real server does not import it does not answer, until a time-out")
	a := newAccounts(t, imports("$JS.API.>"))
	x := a.watcher()
	x.seesJobs(1, 20)
	b := &tallying{Broker: a.broker()}
	var log logbook
	p := New(Config{Store: x.store, Broker: b, Round: time.Minute, Log: log.logger()})
	run(t, p.Run)
	x.isStopped(p, "let it import the service jobs.>")
	x.w.until("it has asked again", func() bool { return b.looks.Load() >= 3 })
	if n := log.count("nothing is published until this is fixed"); n != 1 {
		t.Errorf("%d lines name it, want 1", n)
	}
	if b.publishes.Load() > 20 || b.follows.Load() > 2 || b.scans.Load() > 2 || a.consumers() > 2 {
		t.Errorf("%d publishes, %d times followed, %d scans, %d consumers", b.publishes.Load(), b.follows.Load(), b.scans.Load(), a.consumers())
	}
	a.reload(imports("$JS.API.>", "jobs.>", "commcells.>"))
	x.w.until("all is sent", func() bool { return x.store.Unsent() == 0 })
	a.isTold(20)
}

// TestReadersOfAConnection: whoever publishes for many rounds makes two consumers, one that follows the tail and one that reads on,
// and leaves none.
func TestReadersOfAConnection(t *testing.T) {
	a := newAccounts(t, "A {jetstream: enabled, "+full+"}")
	made := make(chan struct{}, 1000)
	nc := a.js.Conn()
	if _, err := nc.Subscribe("$JS.EVENT.ADVISORY.CONSUMER.CREATED.>", func(*nats.Msg) { made <- struct{}{} }); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	x := a.watcher()
	ctx, cancel := context.WithCancel(t.Context())
	conn := stream.New(stream.Config{URL: a.srv.ClientURL(), User: "jobwatch", Password: "x"})
	b := &tallying{Broker: conn}
	p := New(Config{Store: x.store, Broker: b, Round: 50 * time.Millisecond})
	var ended sync.WaitGroup
	ended.Go(func() { _ = conn.Run(ctx) })
	ended.Go(func() { _ = p.Run(ctx) })
	for number := int64(1); number <= 10; number++ {
		x.seesJobs(number, number)
		round := b.scans.Load()
		x.w.until("another round has read on", func() bool { return b.scans.Load() >= round+2 && x.store.Unsent() == 0 })
	}
	if n := len(made); n > 5 { // three of them to see whether they can be
		t.Errorf("%d consumers were made in %d rounds, want 5", n, b.scans.Load())
	}
	if n := a.consumers(); n != 2 {
		t.Errorf("%d consumers are there, want 2", n)
	}
	cancel()
	ended.Wait()
	if n := a.consumers(); n != 0 {
		t.Errorf("%d consumers are left", n)
	}
	a.isTold(10)
}

// taking takes from the stream what was acknowledged of a job's first event.
type taking struct {
	*stream.Broker
	from  jetstream.Stream
	times atomic.Int64 // the first event was stored
}

func (b *taking) Publish(ctx context.Context, m stream.Outgoing) (uint64, error) {
	sequence, err := b.Broker.Publish(ctx, m)
	if err == nil && m.ExpectLast == 0 {
		b.times.Add(1)
		err = errors.Join(err, b.from.DeleteMsg(ctx, sequence))
	}
	return sequence, err
}

func TestAnEventThatIsLostTwice(t *testing.T) {
	a := newAccounts(t, "A {jetstream: enabled, "+full+"}")
	js, err := a.js.Stream(t.Context(), "JOBS")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.js.Publish(t.Context(), "jobs.somebody", nil); err != nil { // what lies before a stream's first message was aged
		t.Fatal(err)
	}
	x := a.watcher()
	x.store.KeepSent = time.Hour
	x.seesJobs(1, 1)
	conn := a.broker()
	b := &taking{Broker: conn, from: js}
	var log logbook
	p := New(Config{Store: x.store, Broker: b, Round: 100 * time.Millisecond, Log: log.logger()})
	stop := run(t, p.Run)
	x.w.until("the job is stopped", func() bool {
		byReason, stopped := p.Refusals()
		return stopped == 1 && byReason[stream.Misfit] > 3 // rounds later, too
	})
	if n := b.times.Load(); n != 2 {
		t.Errorf("the event was sent %d times, want 2", n)
	}
	if n := log.count("lost it again"); n != 1 {
		t.Errorf("%d lines name it, want 1", n)
	}
	stop()
	x.restart()
	x.store.KeepSent = time.Hour
	run(t, New(Config{Store: x.store, Broker: conn, Round: 100 * time.Millisecond}).Run)
	x.w.until("all is sent", func() bool { return x.store.Unsent() == 0 && len(a.own(1)) == 4 })
	a.isTold(1)
}

// stubborn refuses the expected sequence of each publish, whatever it is.
type stubborn struct {
	*stream.Broker
	times atomic.Int64
	over  atomic.Bool
}

func (b *stubborn) Publish(ctx context.Context, m stream.Outgoing) (uint64, error) {
	if b.over.Load() {
		return b.Broker.Publish(ctx, m)
	}
	b.times.Add(1)
	return 0, &stream.SequenceError{Last: 7}
}

func TestAJobThatIsRefusedAgainAndAgain(t *testing.T) {
	w := newWorld(t)
	x := w.watcher("a.db")
	x.sees(71, "Running", "")
	b := &stubborn{Broker: w.broker()}
	p := New(Config{Store: x.store, Broker: b, Round: time.Second})
	run(t, p.Run)
	w.until("the job is stopped", func() bool { _, stopped := p.Refusals(); return stopped == 1 })
	if n := b.times.Load(); n > 2*(mostRefused+1) { // another round may have begun
		t.Errorf("it was tried %d times", n)
	}
	b.over.Store(true)
	w.until("all is sent", func() bool { return x.store.Unsent() == 0 })
	w.holds(71, "1 state:  → Running")
}

// takingOne takes one job's event, twice.
type takingOne struct{ taking }

func (b *takingOne) Publish(ctx context.Context, m stream.Outgoing) (uint64, error) {
	if strings.Contains(m.Filter, ".71.") && b.times.Load() < 2 {
		return b.taking.Publish(ctx, m)
	}
	return b.Broker.Publish(ctx, m)
}

// An event that was lost twice, and later ones of other jobs not, waits to be sent: an hour later, or after a restart.
func TestAnEventThatIsLostTwiceIsSentLater(t *testing.T) {
	slow.Test(t, "1 s", "a real server loses the same event twice")
	for _, later := range []string{"after an hour", "after a restart"} {
		t.Run(later, func(t *testing.T) {
			a := newAccounts(t, "A {jetstream: enabled, "+full+"}")
			js, err := a.js.Stream(t.Context(), "JOBS")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := a.js.Publish(t.Context(), "jobs.somebody", nil); err != nil { // what lies before a stream's first message was aged
				t.Fatal(err)
			}
			x := a.watcher()
			x.store.KeepSent = 2 * time.Hour
			x.sees(71, "Running", "")
			b := &takingOne{taking{Broker: a.broker(), from: js}}
			p := x.publisher(b)
			stop := run(t, p.Run)
			x.w.until("the job is stopped", func() bool { _, stopped := p.Refusals(); return stopped == 1 })
			x.sees(72, "Running", "")
			x.w.until("another job's event is sent", func() bool { return len(a.own(72)) == 1 })
			if later == "after an hour" {
				p.resent.mu.Lock()
				p.resent.since = time.Now().Add(-unblockAfter)
				p.resent.mu.Unlock()
			} else {
				stop()
				x.restart()
				x.store.KeepSent = 2 * time.Hour
				p = x.publisher(b)
				run(t, p.Run)
			}
			x.w.until("it is sent", func() bool { _, stopped := p.Refusals(); return stopped == 0 && len(a.own(71)) == 1 })
		})
	}
}
