// Package stream is the broker: the connection to NATS, and the one JetStream stream that holds what jobwatch told.
//
// It connects and connects again (Run), makes or checks the stream (Ready), publishes one message under a condition
// (Publish), and reads back from the stream's leader (Last, Each) or all in one pass (Scan). It deals in subjects and
// bytes; what they mean is not its business. The embedded NATS server lives here too (StartEmbedded).
package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

// ErrDisconnected is the error of every request made while NATS is away, or while Ready has not yet found the server
// and the stream to fit, and of every request under way when the connection is lost: its outcome is unknown.
var ErrDisconnected = errors.New("not connected to NATS")

const requestTimeout = 5 * time.Second // of one request whose context has no deadline

var errNoAnswer = fmt.Errorf("no answer within %v", requestTimeout)

// Broker is one connection to NATS, made and made again by Run, and what can be asked through it.
// All methods may be called at the same time.
type Broker struct {
	cfg Config
	log *slog.Logger

	making sync.Mutex // held while the stream is inspected and made: of two callers who find none, one makes it

	mu        sync.Mutex
	session   *session        // nil while NATS is away
	sessions  int             // ever
	fitting   *session        // the session that Ready found to fit; nothing is published through another
	maxAge    *time.Duration  // of the stream, when it was last found to fit; nil: not yet
	left      string          // host and port of a server that was left, since its JetStream did not serve
	leaves    int             // of such servers in a row
	refuted   chan struct{}   // closed when it fits no more, or is lost; made when it was found to fit
	connected chan struct{}   // closed when session is set, replaced when it is lost
	lastErr   error           // why NATS or the stream cannot be used; nil when it can
	logged    map[string]bool // reasons logged since it last could be used
	warned    map[string]bool // differences of the stream, logged once and for all
}

// New returns a Broker that does nothing until Run is called.
func New(cfg Config) *Broker {
	cfg = cfg.withDefaults()
	return &Broker{
		cfg:       cfg,
		log:       cfg.Log,
		connected: make(chan struct{}),
		logged:    map[string]bool{},
		warned:    map[string]bool{},
	}
}

// Run connects, and connects again whenever the connection is lost or refused, until ctx ends. It then closes the
// connection and returns nil. Each distinct reason for a refusal is logged once.
func (b *Broker) Run(ctx context.Context) error {
	var found []string // servers of the cluster that the last one named
	for ctx.Err() == nil {
		s, err := b.dial(ctx, found)
		if err == nil {
			b.up(s)
			b.guard(ctx, s)
			found = s.nc.DiscoveredServers()
			err = b.down(s)
		}
		if ctx.Err() == nil {
			b.logOnce(err)
			_ = pause(ctx)
		}
	}
	return nil
}

// Connected says whether there is a connection. Whether server and stream fit is Ready's business.
func (b *Broker) Connected() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.session != nil
}

// LastError says why NATS cannot be used now (refused credentials, nobody at the address, a stream without a leader).
// It is nil when nothing is known to be wrong, and holds no secret.
func (b *Broker) LastError() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lastErr
}

// Usable says why nothing can be published or read now; nil if it can.
func (b *Broker) Usable() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.fitting != nil:
		return nil
	case b.lastErr != nil:
		return b.lastErr
	case b.session != nil:
		return errUnchecked
	}
	return ErrDisconnected
}

var errUnchecked = errors.New("connected to NATS; the stream is being looked at")

func (b *Broker) up(s *session) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.session, b.lastErr, s.since = s, nil, time.Now()
	b.sessions++
	clear(b.logged)
	close(b.connected)
	b.log.Info("connected to NATS at " + s.host)
}

func (b *Broker) down(s *session) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.session = nil
	b.withdraw()
	b.connected = make(chan struct{})
	return s.whyLost()
}

// current waits for a connection.
func (b *Broker) current(ctx context.Context) (*session, error) {
	for {
		b.mu.Lock()
		s, connected := b.session, b.connected
		b.mu.Unlock()
		if s != nil {
			return s, nil
		}
		select {
		case <-connected:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// usable returns the session that may be used for publishing and reading.
func (b *Broker) usable() (*session, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fitting == nil {
		return nil, ErrDisconnected
	}
	return b.fitting, nil
}

// admit opens the session for use, unless it has been lost meanwhile. refuted is closed when it fits no more, or is
// lost.
func (b *Broker) admit(s *session) (refuted <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.session != s {
		return s.lost
	}
	if b.fitting != s {
		b.fitting, b.refuted = s, make(chan struct{})
	}
	b.lastErr, b.maxAge, b.left, b.leaves, s.unserved = nil, s.longestAge(), "", 0, time.Time{}
	clear(b.logged)
	return b.refuted
}

// refute ends the verdict that server and stream fit: nothing is published until they are found to fit again.
func (b *Broker) refute(s *session, why error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.session == s {
		b.lastErr = why
		b.withdraw()
	}
}

// withdraw needs b.mu.
func (b *Broker) withdraw() {
	if b.fitting != nil {
		b.fitting = nil
		close(b.refuted)
	}
}

func (b *Broker) fits(s *session) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.fitting == s
}

// logOnce keeps the reason why NATS cannot be used, and logs it if it is news.
func (b *Broker) logOnce(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lastErr = err
	if !b.logged[err.Error()] {
		b.logged[err.Error()] = true
		b.log.Warn("NATS cannot be used; trying on", "err", err)
	}
}

// pause waits a quarter second to a second: watchers that lost the same server do not all come back at once.
func pause(ctx context.Context) error {
	if sleep(ctx, 250*time.Millisecond+rand.N(750*time.Millisecond)) {
		return nil
	}
	return ctx.Err()
}

// sleep is false if ctx ended meanwhile.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
