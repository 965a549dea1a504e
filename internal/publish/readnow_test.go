package publish

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"jobwatch/internal/job"
	"jobwatch/internal/stream"
)

// readSpy is a broker whose requests can be held up.
type readSpy struct {
	Broker

	mu        sync.Mutex
	hold      map[string]chan struct{} // operation => closed when it may go on
	at        map[string]int           // how often it was begun
	noScan    error
	published int
	atReading []int // how many events were published when each reading began
}

func (s *readSpy) passes(operation string) {
	s.mu.Lock()
	if s.at == nil {
		s.at = map[string]int{}
	}
	s.at[operation]++
	hold := s.hold[operation]
	s.mu.Unlock()
	if hold != nil {
		<-hold
	}
}

// holds up an operation until the function it gives is called.
func (s *readSpy) holds(operation string) (release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	hold := make(chan struct{})
	if s.hold == nil {
		s.hold = map[string]chan struct{}{}
	}
	s.hold[operation] = hold
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.hold, operation)
		close(hold)
	}
}

func (s *readSpy) begun(operation string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at[operation]
}

func (s *readSpy) Info(ctx context.Context) (stream.Info, error) {
	s.mu.Lock()
	s.atReading = append(s.atReading, s.published)
	s.mu.Unlock()
	info, err := s.Broker.Info(ctx)
	s.passes("Info") // it is as old as that by then
	return info, err
}

func (s *readSpy) Publish(ctx context.Context, m stream.Outgoing) (uint64, error) {
	s.passes("Publish")
	sequence, err := s.Broker.Publish(ctx, m)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.published++
	return sequence, err
}

func (s *readSpy) Scan(ctx context.Context, from uint64, yield func(stream.Message) error) (uint64, error) {
	s.passes("Scan")
	s.mu.Lock()
	err := s.noScan
	s.mu.Unlock()
	if err != nil {
		return from - 1, err
	}
	return s.Broker.Scan(ctx, from, yield)
}

func (s *readSpy) FollowHeaders(ctx context.Context, from uint64, yield func(stream.Message) error) error {
	s.passes("FollowHeaders")
	return s.Broker.FollowHeaders(ctx, from, yield)
}

func (s *readSpy) scansNoMore() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.noScan = errors.New("its consumer is silent")
}

// standby is a publisher of a CommCell that it does not follow, and reads once an hour.
func (x *watcher) standby(b Broker) *Publisher {
	p := New(Config{Store: x.store, Broker: b, Round: time.Hour, Follows: func(string) bool { return false }, InFlight: 1})
	run(x.w.t, p.Run)
	<-p.CaughtUp()
	return p
}

func (w *world) readsNow(p *Publisher) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 20*time.Second)
	defer cancel()
	if err := p.ReadNow(ctx); err != nil {
		w.t.Fatal(err)
	}
}

// Who takes a CommCell over knows at once what was told, though its next reading is far, and no consumer gives anything.
func TestReadNow(t *testing.T) {
	w := newWorld(t)
	x, y := w.watcher("a.db"), w.second("b.db")
	b := &readSpy{Broker: w.broker()}
	p := x.standby(b)
	b.scansNoMore()
	y.sees(71, "Running", "")
	w.until("it is told", func() bool { return y.store.Unsent() == 0 })
	w.readsNow(p)
	if got := x.recalls(71).Told.State; got != "Running" {
		t.Errorf("told %q is known", got)
	}
	w.readsNow(p) // nothing more is there
}

// More than is asked for one by one is scanned.
func TestReadNowOfMuch(t *testing.T) {
	w := newWorld(t)
	x, y := w.watcher("a.db"), w.second("b.db")
	p := x.standby(w.broker())
	for number := range int64(fewMessages + 1) {
		y.sees(number+1, "Running", "")
	}
	w.until("it is told", func() bool { return y.store.Unsent() == 0 })
	w.readsNow(p)
	for _, number := range []int64{1, fewMessages + 1} {
		if got := x.recalls(number).Told.State; got != "Running" {
			t.Errorf("told %q of %d is known", got, number)
		}
	}
}

// A reading that had begun when it was asked for may not know what is told by now.
func TestReadNowWantsAReadingThatBeginsLater(t *testing.T) {
	w := newWorld(t)
	x, y := w.watcher("a.db"), w.second("b.db")
	b := &readSpy{Broker: w.broker()}
	p := x.standby(b)
	release := b.holds("Info")
	first, second := make(chan error, 1), make(chan error, 1)
	before := b.begun("Info")
	go func() { first <- p.ReadNow(t.Context()) }()
	w.until("the first reading has begun", func() bool { return b.begun("Info") > before })
	y.sees(71, "Running", "")
	w.until("it is told", func() bool { return y.store.Unsent() == 0 })
	go func() { second <- p.ReadNow(t.Context()) }()
	w.until("the second is asked for", func() bool { p.wanted.mu.Lock(); defer p.wanted.mu.Unlock(); return len(p.wanted.waiting) == 2 })
	release()
	for _, read := range []chan error{first, second} {
		if err := <-read; err != nil {
			t.Fatal(err)
		}
	}
	if got := x.recalls(71).Told.State; got != "Running" {
		t.Errorf("told %q is known", got)
	}
}

// Nothing is in flight while the stream is read, and what waits to be sent, of many jobs or of one, does not keep the
// reading waiting.
func TestReadNowEndsTheRound(t *testing.T) {
	for _, row := range []struct{ jobs, events int }{{100, 1}, {1, 400}} {
		w := newWorld(t)
		x := w.watcher("a.db")
		for number := range row.jobs {
			for i := range row.events {
				x.sees(int64(number)+1, []job.Text{"Running", "Pending"}[i%2], "")
			}
		}
		b := &readSpy{Broker: w.broker()}
		release := b.holds("Publish")
		p := x.standby(b)
		w.until("one is in flight", func() bool { return b.begun("Publish") > 0 })
		readings := b.begun("Info")
		read := make(chan error, 1)
		go func() { read <- p.ReadNow(t.Context()) }()
		w.until("it is asked for", p.wanted.any)
		if b.begun("Info") > readings {
			t.Error("the stream is read while an event is in flight")
		}
		release()
		if err := <-read; err != nil {
			t.Fatal(err)
		}
		b.mu.Lock()
		sent := b.atReading[readings]
		b.mu.Unlock()
		if sent == 0 || sent >= row.jobs*row.events/2 {
			t.Errorf("%d of %d events were sent before the stream was read", sent, row.jobs*row.events)
		}
		w.until("all is sent", func() bool { return x.store.Unsent() == 0 })
	}
}

func TestReadNowEndsWithItsContext(t *testing.T) {
	w := newWorld(t)
	x := w.watcher("a.db")
	b := &readSpy{Broker: w.broker()}
	p := x.standby(b)
	defer b.holds("Info")()
	ctx, cancel := context.WithCancel(t.Context())
	read := make(chan error, 1)
	go func() { read <- p.ReadNow(ctx) }()
	w.until("it is asked for", p.wanted.any)
	cancel()
	if err := <-read; !errors.Is(err, context.Canceled) || p.wanted.any() {
		t.Errorf("%v; somebody waits: %v", err, p.wanted.any())
	}
}
