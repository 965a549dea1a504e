package stream

import (
	"context"
	"time"
)

// Connection is how NATS is connected.
type Connection struct {
	Server  string    // host and port, never a password; "": it is away
	Version string    // of the server
	Since   time.Time // when the connection was made
	Again   int       // connections made after the first
}

// Connection says how NATS is connected just now.
func (b *Broker) Connection() Connection {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := Connection{Again: max(b.sessions-1, 0)}
	if s := b.session; s != nil {
		c.Server, c.Version, c.Since = s.host, s.version, s.since
	}
	return c
}

// RoundTrip is how long the server takes to answer a ping. Without a deadline it ends after 5 s.
func (b *Broker) RoundTrip(ctx context.Context) (time.Duration, error) {
	b.mu.Lock()
	s := b.session
	b.mu.Unlock()
	if s == nil {
		return 0, ErrDisconnected
	}
	ctx, done := s.track(ctx, "")
	defer done()
	asked := time.Now()
	if err := s.nc.FlushWithContext(ctx); err != nil {
		return 0, cause(ctx, err)
	}
	return time.Since(asked), nil
}
