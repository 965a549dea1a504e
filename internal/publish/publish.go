// Package publish is loop 2: it takes the unsent events from the store to the stream, each job's in
// order and one at a time, many jobs at once, until the broker has acknowledged them.
package publish

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"jobwatch/internal/store"
	"jobwatch/internal/stream"
)

// Broker is the stream, as stream.Broker has it. Tests put one in between that fails.
type Broker interface {
	Ready(ctx context.Context) (lost <-chan struct{}, err error)
	Publish(ctx context.Context, m stream.Outgoing) (sequence uint64, err error)
	router
	reader
}

// router finds out where NATS takes what is published to a subject.
type router interface {
	Trace(ctx context.Context, subject string) error
	CheckRoute(ctx context.Context, subject string) error
}

// reader reads the stream back.
type reader interface {
	Info(ctx context.Context) (stream.Info, error)
	Last(ctx context.Context, filter string) (stream.Message, error)
	At(ctx context.Context, sequence uint64) (stream.Message, error)
	Each(ctx context.Context, filter string, from uint64, yield func(stream.Message) error) error
	Scan(ctx context.Context, from uint64, yield func(stream.Message) error) (last uint64, err error)
	FollowHeaders(ctx context.Context, from uint64, yield func(stream.Message) error) error
}

// Config says what a Publisher works with.
type Config struct {
	Store    *store.Store
	Broker   Broker
	Prefix   string        // of all subjects; may be empty
	InFlight int           // events under way at once; default 256
	Round    time.Duration // how often the stream is read on, and a refused job tried again; default 1 min
	Log      *slog.Logger  // default slog.Default()

	Follows func(commCell string) bool // foreign events of these are noticed at once; default: all
	Sibling func(epoch string) bool    // events of this epoch are of a watcher that shares the CommCells with this one; default: none
}

// Publisher is loop 2.
type Publisher struct {
	Config
	Counts Counts

	caughtUp chan struct{} // closed when the stream has been read for the first time
	once     sync.Once
	claims   claims
	slots    chan struct{} // one for each event in flight

	wanted wantedReadings

	tail           *tail     // follows what the stream stores; nil: not now
	named          namedJobs // by the tail
	foreignWriters foreignWriters
	positions      positions // detect a rollback of the stream
	resent         resent
	routes         routes
	misrouted      atomic.Pointer[misrouted]

	refused refusals
	causes  causes
	stopped atomic.Pointer[error] // why nothing is published now; nil while it is
	failing atomic.Pointer[error] // why the last publish was not acknowledged; nil if it was

	misplacedChecked atomic.Bool // in this round, because a misplaced event came: whether its subject is still mapped

	startedAt uint64 // what the stream holds behind this sequence was stored while we run; set while nothing is in flight
}

// Counts are what metrics show.
type Counts struct {
	Published atomic.Int64 // events acknowledged
}

const (
	defaultInFlight = 256
	defaultRound    = time.Minute
	pauseAfterError = 250 * time.Millisecond // the first one; each is twice as long as the last
	pausesInRound   = 4                      // of the longest
)

// New returns a Publisher that does nothing until Run is called.
func New(c Config) *Publisher {
	if c.InFlight <= 0 {
		c.InFlight = defaultInFlight
	}
	if c.Round <= 0 {
		c.Round = defaultRound
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Follows == nil {
		c.Follows = func(string) bool { return true }
	}
	if c.Sibling == nil {
		c.Sibling = func(string) bool { return false }
	}
	p := &Publisher{
		Config: c, caughtUp: make(chan struct{}), slots: make(chan struct{}, c.InFlight), wanted: newWantedReadings(),
		refused: newRefusals(c.Log), foreignWriters: newForeignWriters(c.Log), causes: causes{log: c.Log}, startedAt: math.MaxUint64,
	}
	p.stop(errNotYet)
	return p
}

var errNotYet = errors.New("the stream was not reached yet")

// CaughtUp is closed when the stream has been read for the first time: a store that is older than
// the stream, or new beside it, then knows what was told.
func (p *Publisher) CaughtUp() <-chan struct{} { return p.caughtUp }

// Refusals counts, by reason, the refusals that the same event would meet again (too large, no
// right, stream full), and says how many jobs are stopped by one now.
func (p *Publisher) Refusals() (byReason map[string]int64, stopped int) { return p.refused.counts() }

// Refusal is that which stops most of the jobs that are stopped by one now; "" if none is.
func (p *Publisher) Refusal() string {
	for _, most := range p.refused.stopping() {
		return most.Text
	}
	return ""
}

// RefusedNow are the refusals that stop jobs now, the one that stops most first.
func (p *Publisher) RefusedNow() []Refused { return p.refused.stopping() }

// Errors counts the publishes that were not acknowledged, by reason: those of Refusals, and
// disconnected, sequence, busy, no_stream, unacknowledged, which are tried again at once.
func (p *Publisher) Errors() map[string]int64 { return p.refused.all() }

// ForeignWrites counts, by CommCell, the jobs of which another watcher's event came while this one ran.
func (p *Publisher) ForeignWrites() map[string]int64 { return p.foreignWriters.counts() }

// Stopped says why nothing can be published now, or why the last try was not acknowledged; nil: nothing is known to be
// wrong but what Refusals counts.
func (p *Publisher) Stopped() error {
	for _, why := range []*error{p.stopped.Load(), p.failing.Load()} {
		if why != nil {
			return *why
		}
	}
	return nil
}

func (p *Publisher) stop(why error) { p.stopped.Store(&why) }

// Run publishes until ctx ends, across whatever happens to NATS.
func (p *Publisher) Run(ctx context.Context) error {
	fails := 0
	for ctx.Err() == nil {
		began := time.Now()
		err := p.session(ctx)
		if time.Since(began) > p.Round {
			fails = 0
		}
		if err == nil || ctx.Err() != nil {
			continue
		}
		if errors.As(err, new(*stream.MisfitError)) {
			p.refused.count(stream.Misfit)
		}
		p.stop(err)
		if errors.Is(err, stream.ErrDisconnected) { // the broker logs that itself
			continue
		}
		if fails > 0 || !errors.Is(err, stream.ErrNoStream) { // else the next try makes the stream, or says what is wrong
			p.logHalted(err)
			p.pauseOrRead(ctx, p.backoff(fails))
		}
		fails++
	}
	return nil
}

// logHalted logs what keeps everything from being published.
func (p *Publisher) logHalted(err error) {
	if errors.As(err, new(*stream.MisfitError)) {
		p.causes.report(slog.LevelError, "nothing is published until this is fixed", err)
		return
	}
	p.causes.report(slog.LevelWarn, "nothing is published now; trying again", err)
}

// backoff is how long to wait after so many failures in a row, of which the last is not counted.
func (p *Publisher) backoff(fails int) time.Duration {
	return min(pauseAfterError<<min(fails, 10), p.Round/pausesInRound)
}

// session publishes through one connection, and says why it ended.
func (p *Publisher) session(ctx context.Context) error {
	lost, err := p.Broker.Ready(ctx)
	if err != nil {
		return err
	}
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	go func() {
		select {
		case <-lost:
			end(stream.ErrDisconnected)
		case <-ctx.Done():
		}
	}()
	if err := p.recheckMisrouted(ctx); err != nil {
		return err
	}
	err = p.serve(ctx, end)
	if d := p.misrouted.Load(); d != nil && !errors.Is(err, stream.ErrDisconnected) {
		return d.err
	}
	return err
}

// serve reads the stream, publishes for a round, and so on, until the connection is lost or something does not fit.
func (p *Publisher) serve(ctx context.Context, end context.CancelCauseFunc) error {
	p.routes.clear()
	p.unblock(false)
	defer p.stopTail()
	for fails := 0; ctx.Err() == nil; {
		p.unblock(true)
		p.wanted.begin()
		err := p.catchUp(ctx)
		var misfit *stream.MisfitError
		switch {
		case ctx.Err() != nil:
		case err == nil:
			fails = 0
			p.once.Do(func() { close(p.caughtUp) })
			p.wanted.end()
			p.stopped.Store(nil)
			p.causes.recovered()
			if p.Store.Unsent() == 0 {
				p.failing.Store(nil)
			}
			p.sendRound(ctx, end)
		case errors.Is(err, stream.ErrNoStream), errors.As(err, &misfit):
			return err
		default:
			p.stop(fmt.Errorf("the stream could not be read back: %w", err))
			if !errors.Is(err, stream.ErrDisconnected) {
				p.causes.report(slog.LevelWarn, "the stream could not be read back; trying again", err)
			}
			p.pauseOrRead(ctx, p.backoff(fails))
			fails++
		}
	}
	return context.Cause(ctx)
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
