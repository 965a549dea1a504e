package relay

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"jobwatch/internal/stream"
)

// session is the time from claiming the consumer to losing it. One goroutine has all of its state: loop.
type session struct {
	*Relay
	lease    *lease
	consumer stream.Consumer
	limit    *rate.Limiter
	ctx      context.Context // ends with the lease, or when it has to stop
	outside  context.Context // of what is done outside of the loop: it ends a little later
	window   int             // most deliveries that are not settled

	next    uint64           // number of the next delivery
	seen    uint64           // the highest sequence delivered
	behind  uint64           // what is still to come of what the stream had then
	held    map[uint64]*item // not settled, by sequence
	queues  map[string]*queue
	ready   []*queue          // with something to try, and no trouble, in the order in which they became so
	uneasy  map[*queue]bool   // in trouble
	groups  map[string]*group // open windows
	busy    int
	trying  int  // of busy, those in trouble
	fresh   bool // the last one tried was in no trouble
	reports int
	paused  string // by hand, until when
	opened  bool   // all that was delivered before is gathered

	leaving   bool  // the destination wants nothing more, and that is written
	failed    error // why another claim has to find out how it stands
	replaying bool  // events of the stream are being read once more
	redriving bool  // dead letters are

	arrivals chan arrival
	tasks    chan func() // for goroutines that are idle
	results  chan func()
	awaited  int // results that are still to come
}

// stopPatience is what deliveries under way are given when the relay stops, if the lease lasts as long.
const stopPatience = 5 * time.Second

var errStopped = errors.New("stopped")

type arrival struct {
	all []stream.Delivery
	err error
}

// session relays through one claim of the consumer.
func (r *Relay) session(ctx context.Context, l *lease, now *orders, changes <-chan orders) error {
	consumer, info, err := r.claim(ctx)
	if err != nil {
		return err
	}
	// Before anything is delivered: whoever goes on after a kill, without the consumer, begins here, not at the end.
	if err := l.write(ctx); err != nil {
		consumer.Close()
		return err
	}
	work, cut := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cut(nil)
	defer context.AfterFunc(ctx, func() {
		if errors.Is(context.Cause(ctx), errLeaseLost) {
			cut(errLeaseLost)
			return
		}
		time.AfterFunc(min(stopPatience, l.left()), func() { cut(errStopped) })
	})()
	s := &session{
		Relay: r, lease: l, consumer: consumer, ctx: ctx, outside: work, next: info.Delivered + 1, window: info.Window,
		held: map[uint64]*item{}, queues: map[string]*queue{}, uneasy: map[*queue]bool{}, groups: map[string]*group{},
		arrivals: make(chan arrival), results: make(chan func(), r.Concurrency+8), tasks: make(chan func()),
	}
	if r.Rate > 0 {
		s.limit = rate.NewLimiter(rate.Limit(r.Rate), max(1, int(r.Rate)))
	}
	maps.DeleteFunc(r.redriven, func(_ string, d *redrive) bool { return !d.ended })
	reading, stop := context.WithCancel(ctx)
	var reader sync.WaitGroup
	reader.Go(func() { s.read(reading) })
	err = s.gather(info)
	if err == nil {
		s.open()
		err = s.loop(now, changes)
	}
	stop()
	s.end()
	close(s.tasks)
	s.health.rest(time.Now())
	reader.Wait()
	s.consumer.Close()
	return err
}

// read has deliveries arrive until ctx ends.
func (s *session) read(ctx context.Context) {
	for {
		all, err := s.consumer.Next(ctx, 256)
		select {
		case s.arrivals <- arrival{all, err}:
		case <-ctx.Done():
			for _, d := range all {
				s.consumer.Return(d)
			}
			return
		}
		if err != nil {
			return
		}
	}
}

// end waits for what is under way, returns what is not, the oldest first, and notes how far that got.
func (s *session) end() {
	for s.awaited > 0 {
		(<-s.results)()
	}
	for _, sequence := range slices.Sorted(maps.Keys(s.held)) {
		s.consumer.Return(s.held[sequence].delivery)
	}
	if len(s.held) > 0 { // what of it the stream has forgotten does not come again, and has to be said
		s.forgotten = min(s.forgotten, s.oldestHeld()-1)
	}
	if s.opened {
		s.noteReached()
	}
}
