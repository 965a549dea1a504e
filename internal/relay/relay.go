package relay

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"sync"
	"time"

	"jobwatch/internal/stream"
)

// Broker is what a relay reads from, and remembers in. stream.Broker is one.
type Broker interface {
	Ready(ctx context.Context) (lost <-chan struct{}, err error)
	Info(ctx context.Context) (stream.Info, error)
	At(ctx context.Context, sequence uint64) (stream.Message, error)
	Each(ctx context.Context, filter string, from uint64, yield func(stream.Message) error) error
	Claim(ctx context.Context, d stream.Durable) (stream.Consumer, stream.DurableInfo, error)
	Standing(ctx context.Context, name string) (stream.DurableInfo, error)
	Bucket(name string) stream.Bucket
	Log(name string, subjects []string) stream.Log
}

// Config says what a relay takes, where to, and how.
type Config struct {
	Name        string
	Subjects    []string      // filters, with the prefix
	Match       Match         // all must hold
	Start       Start         // where a relay begins that has never run
	Concurrency int           // deliveries under way at once; default 16
	Rate        float64       // deliveries a second; 0: no limit
	Timeout     time.Duration // of one delivery; default 15 s
	GiveUpAfter time.Duration // 0: never

	Destination Destination
	Together    int       // most events of a job that are delivered together; default 1
	Whole       bool      // the stream's order is kept over all jobs, and one delivery is under way
	Group       *Grouping // nil: none

	Broker Broker
	Stream string // the main one's name
	Prefix string // of all subjects; may be empty
	Host   string // for people
	Meter  Meter  // nil: nobody counts
	Log    *slog.Logger
}

// Meter counts what becomes of events.
type Meter interface {
	Delivered(after time.Duration) // since the event's own time
	Failed(reason string)          // a Kind's name
	Dead()
	Missed(messages uint64)
}

// Start is where a relay begins that has never run. The zero Start is behind what is there.
type Start struct {
	All bool
	Ago time.Duration // what was stored so long ago
}

const (
	ackWait   = 10 * time.Second // then what is held by nobody is delivered to somebody else
	extend    = ackWait / 3
	minWindow = 256
	grouped   = 4096 // window of a relay that groups: what waits for its window is held unsettled
)

// Relay takes events to one destination.
type Relay struct {
	Config
	log      *slog.Logger
	bucket   stream.Bucket
	records  stream.Log
	instance string

	mu     sync.Mutex
	status Status   // guarded by mu
	record record   // guarded by mu
	untold [][]byte // states for the log; guarded by mu

	// What follows is Run's own.
	settled   map[uint64]bool   // delivered, and perhaps not settled at the broker
	doneTo    map[string]uint64 // of a job that was parked: all up to this sequence was delivered
	refused   map[string]*trouble
	parked    map[string]*parked
	redriven  map[string]*redrive // by the order's key
	written   uint64              // revision of the record as it was last written here
	health    health
	furthest  position // that was delivered to this process
	forgotten uint64   // by the stream, up to this sequence: it has been said
	broken    string   // why it stands still until somebody has looked
	saidErr   string
}

// New gives a relay that does nothing until Run is called.
func New(c Config) *Relay {
	c.Concurrency = cmp.Or(c.Concurrency, 16)
	c.Timeout = cmp.Or(c.Timeout, 15*time.Second)
	c.Together = cmp.Or(c.Together, 1)
	c.Log = cmp.Or(c.Log, slog.Default())
	if c.Meter == nil {
		c.Meter = noMeter{}
	}
	if c.Whole {
		c.Concurrency = 1
	}
	r := &Relay{
		Config: c, log: c.Log.With("relay", c.Name), instance: rand.Text(),
		bucket: c.Broker.Bucket(BucketName(c.Stream)), records: newLog(c.Broker, c.Stream, c.Prefix),
		settled: map[uint64]bool{}, doneTo: map[string]uint64{}, refused: map[string]*trouble{},
		parked: map[string]*parked{}, redriven: map[string]*redrive{},
	}
	r.status = Status{Name: c.Name, State: Starting, Since: time.Now()}
	r.health = newHealth(c.Concurrency, time.Now())
	return r
}

type noMeter struct{}

func (noMeter) Delivered(time.Duration) {}
func (noMeter) Failed(string)           {}
func (noMeter) Dead()                   {}
func (noMeter) Missed(uint64)           {}

// BucketName is that of the bucket that relays of a stream remember in.
func BucketName(mainStream string) string { return mainStream + "_RELAY_STATE" }

// LogName is that of the stream of dead letters, states and checkpoints.
func LogName(mainStream string) string { return mainStream + "_RELAYS" }

func newLog(b Broker, mainStream, prefix string) stream.Log {
	return b.Log(LogName(mainStream), []string{withPrefix(prefix, "relays.>")})
}

func withPrefix(prefix, subject string) string {
	if prefix == "" {
		return subject
	}
	return prefix + "." + subject
}

// Run relays until ctx ends, and returns nil. Whatever fails meanwhile is said, and tried again.
func (r *Relay) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		err := r.term(ctx)
		if ctx.Err() != nil {
			break
		}
		r.say(err)
		pause(ctx, time.Second)
	}
	return nil
}

// say logs why a term ended, each reason once in a row.
func (r *Relay) say(err error) {
	switch {
	case err == nil, errors.Is(err, errOff), errors.Is(err, errBroken):
		return
	case errors.Is(err, stream.ErrDisconnected), errors.Is(err, errGap), errors.Is(err, context.Canceled):
		r.log.Debug("relay begins anew", "err", err)
		return
	case errors.Is(err, errLeaseLost):
		r.log.Info("another watcher relays now")
		return
	}
	if text := err.Error(); text != r.saidErr {
		r.saidErr = text
		r.log.Warn("relay cannot go on; trying on", "err", err)
	}
}

// term is the time from getting the lease to losing it, the connection or the place in the stream.
func (r *Relay) term(ctx context.Context) error {
	refuted, err := r.Broker.Ready(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-refuted:
			cancel()
		case <-ctx.Done():
		}
	}()
	lease, err := r.acquire(ctx)
	if err != nil {
		return err
	}
	return r.hold(ctx, lease)
}

// pause is false if ctx ended meanwhile.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
