// Package publish is loop 2: it takes the unsent events from the store to the stream, each job's in
// order and one at a time, many jobs at once, until the broker has acknowledged them.
package publish

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"jobwatch/internal/store"
	"jobwatch/internal/stream"
)

// Broker is the stream, as stream.Broker has it. A test puts a broker between that loses what it is told.
type Broker interface {
	Ready(ctx context.Context) (lost <-chan struct{}, err error)
	Publish(ctx context.Context, m stream.Outgoing) (sequence uint64, err error)
	Heads(ctx context.Context, from uint64, yield func(stream.Message) error) error
	reader
}

// reader reads the stream back.
type reader interface {
	Info(ctx context.Context) (stream.Info, error)
	Last(ctx context.Context, filter string) (stream.Message, error)
	At(ctx context.Context, sequence uint64) (stream.Message, error)
	Each(ctx context.Context, filter string, from uint64, yield func(stream.Message) error) error
	Scan(ctx context.Context, from uint64, yield func(stream.Message) error) (last uint64, err error)
}

// Config says what a Publisher works with.
type Config struct {
	Store    *store.Store
	Broker   Broker
	Prefix   string        // of all subjects; may be empty
	InFlight int           // events under way at once; default 256
	Round    time.Duration // how often the stream is read on, and a refused job tried again; default 1 min
	Log      *slog.Logger  // default slog.Default()

	Follows func(commCell string) bool // what another watcher tells of these is noticed at once; default: all
}

// Publisher is loop 2.
type Publisher struct {
	Config
	Counts Counts

	caughtUp chan struct{} // closed when the stream has been read for the first time
	once     sync.Once
	claims   claims
	heard    heard
	slots    chan struct{} // one for each event in flight
	refused  refusals
	places   places
	others   others
	saidDeaf string
	listened uint64 // what the stream holds behind this sequence was stored while we ran; set while nothing is in flight
}

// Counts are what metrics show.
type Counts struct {
	Published atomic.Int64 // events acknowledged
}

const (
	defaultInFlight = 256
	defaultRound    = time.Minute
	pauseAfterError = 250 * time.Millisecond
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
	return &Publisher{
		Config: c, caughtUp: make(chan struct{}), slots: make(chan struct{}, c.InFlight),
		refused: newRefusals(c.Log), others: newOthers(c.Log), listened: math.MaxUint64,
	}
}

// CaughtUp is closed when the stream has been read for the first time: a store that is older than
// the stream, or new beside it, then knows what was told.
func (p *Publisher) CaughtUp() <-chan struct{} { return p.caughtUp }

// Refusals counts, by reason, the refusals that the same event would meet again (too large, no
// right, stream full), and says how many jobs are stopped by one now.
func (p *Publisher) Refusals() (byReason map[string]int64, stopped int) { return p.refused.counts() }

// Refusal is that which stops most of the jobs that are stopped by one now; "" if none is.
func (p *Publisher) Refusal() string { return p.refused.why() }

// Errors counts the publishes that were not acknowledged, by reason: those of Refusals, and
// disconnected, sequence, busy, no_stream, unacknowledged, which are tried again at once.
func (p *Publisher) Errors() map[string]int64 { return p.refused.all() }

// Others counts by CommCell the jobs of which another watcher was found to have told while this one ran.
func (p *Publisher) Others() map[string]int64 { return p.others.counts() }

// Run publishes until ctx ends, across whatever happens to NATS.
func (p *Publisher) Run(ctx context.Context) error {
	said := ""
	for ctx.Err() == nil {
		lost, err := p.Broker.Ready(ctx)
		if err != nil {
			if ctx.Err() == nil && err.Error() != said {
				said = err.Error()
				p.Log.Error("nothing is published until this is mended", "err", err)
			}
			pause(ctx, p.Round/10)
			continue
		}
		said = ""
		p.serve(ctx, lost)
	}
	return nil
}

// serve publishes through one connection, until it is lost or the stream is gone.
func (p *Publisher) serve(ctx context.Context, lost <-chan struct{}) {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	go func() {
		select {
		case <-lost:
			end(stream.ErrDisconnected)
		case <-ctx.Done():
		}
	}()
	for ctx.Err() == nil {
		if err := p.catchUp(ctx); err != nil {
			if ctx.Err() == nil {
				p.Log.Warn("the stream could not be read back; trying again", "err", err)
			}
			if errors.Is(err, stream.ErrNoStream) {
				return
			}
			pause(ctx, pauseAfterError)
			continue
		}
		p.once.Do(func() { close(p.caughtUp) })
		p.sendRound(ctx, end)
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
