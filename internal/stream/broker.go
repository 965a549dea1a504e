// Package stream is the broker: the connection to NATS, and the one JetStream stream that holds what jobwatch told.
//
// It connects and connects again (Run), makes or checks the stream (Ready), publishes one message under a condition
// (Publish), and reads back from the stream's leader (Last, Each) or all in one pass (Scan). It deals in subjects and
// bytes; what they mean is others' business. The embedded NATS server lives here too (StartEmbedded).
package stream

import (
	"context"
	"crypto/tls"
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

// Config says where NATS is and what the stream looks like. The zero value asks nats://127.0.0.1:4222 for JOBS.
type Config struct {
	URL       string    // nats://, tls://, ws:// or wss:// URLs, separated by commas; default nats://127.0.0.1:4222
	InProcess *Embedded // connect to this server instead of URL, without a socket

	CredsFile string      // read again at each connection, as is NKeyFile
	NKeyFile  string      // the file of an nkey seed
	User      string      // with Password
	Password  string      // with User
	Token     string      // instead of User and Password
	TLS       *tls.Config // nil: as the URL says

	HandshakeFirst bool   // TLS before NATS says a word, as such a server wants it
	Domain         string // the JetStream domain, where it is reached through a leaf node; "": the server's own

	Stream   string        // default JOBS
	Subjects []string      // what the stream must take; default jobs.>, commcells.>
	Replicas int           // default 1
	MaxAge   time.Duration // 0: messages are kept for ever
	MaxBytes int64         // 0: no limit

	Samples []string // subjects as they are published to, for Probe to ask where they lead

	ReadOnly bool // never make the stream, and read one whatever it is like

	CheckEvery time.Duration        // how often server and stream are looked at again while they are in use; default 15 s
	Waiting    func() time.Duration // how long the oldest event has waited to be published; nil: none waits

	Log  *slog.Logger // default slog.Default()
	Name string       // of the connection, as NATS shows it; default jobwatch
}

// Broker is one connection to NATS, made and made again by Run, and what can be asked through it.
// All methods may be called at the same time.
type Broker struct {
	cfg Config
	log *slog.Logger

	making sync.Mutex // held while the stream is looked at and made: of two who find none, one makes it

	mu      sync.Mutex
	session *session        // nil while NATS is away
	fitting *session        // the session that Ready found to fit; nothing is published through another
	maxAge  *time.Duration  // of the stream, when it was last found to fit; nil: not yet
	refuted chan struct{}   // closed when it fits no more, or is lost; made when it was found to fit
	arrived chan struct{}   // closed when session is set, replaced when it is lost
	lastErr error           // why NATS or the stream cannot be used; nil when it can
	said    map[string]bool // reasons logged since it last could be used
	warned  map[string]bool // differences of the stream, logged once and for all
}

// New returns a Broker that does nothing until Run is called.
func New(cfg Config) *Broker {
	cfg = cfg.withDefaults()
	return &Broker{
		cfg:     cfg,
		log:     cfg.Log,
		arrived: make(chan struct{}),
		said:    map[string]bool{},
		warned:  map[string]bool{},
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
			b.note(err)
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
		return errNotLooked
	}
	return ErrDisconnected
}

var errNotLooked = errors.New("connected to NATS; the stream is being looked at")

func (b *Broker) up(s *session) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.session, b.lastErr = s, nil
	clear(b.said)
	close(b.arrived)
	b.log.Info("connected to NATS at " + s.host)
}

func (b *Broker) down(s *session) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.session = nil
	b.withdraw()
	b.arrived = make(chan struct{})
	return s.whyLost()
}

// current waits for a connection.
func (b *Broker) current(ctx context.Context) (*session, error) {
	for {
		b.mu.Lock()
		s, arrived := b.session, b.arrived
		b.mu.Unlock()
		if s != nil {
			return s, nil
		}
		select {
		case <-arrived:
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

// admit opens the session for use, unless it has been lost meanwhile. refuted is closed when it fits no more, or is lost.
func (b *Broker) admit(s *session) (refuted <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.session != s {
		return s.lost
	}
	if b.fitting != s {
		b.fitting, b.refuted = s, make(chan struct{})
	}
	b.lastErr, b.maxAge = nil, s.longestAge()
	clear(b.said)
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

// note keeps the reason why NATS cannot be used, and logs it if it is news.
func (b *Broker) note(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lastErr = err
	if !b.said[err.Error()] {
		b.said[err.Error()] = true
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
