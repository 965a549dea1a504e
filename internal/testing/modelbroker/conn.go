package modelbroker

import (
	"context"
	"errors"
	"sync"
	"time"

	"jobwatch/internal/stream"
)

// Conn is one watcher's connection to the stream: what stream.Broker is to a real one.
type Conn struct {
	stream *Stream

	// Gate is called at the begin and at the end of each request, and may let it wait. Its error at the begin means
	// that nothing happened; at the end, that it happened and its answer was lost. Set it before the first use.
	Gate func(context.Context, Call) error

	mu      sync.Mutex
	session *session      // nil while the connection is cut
	fitting *session      // the one that Ready has found to fit
	arrived chan struct{} // closed when session is set, replaced when it is lost
}

// Call is a request, at its begin or its end.
type Call struct {
	// Operation is Ready, Publish, Info, Last, At, Each, Scan or FollowHeaders; of a consumer Claim, ConsumerInfo, and,
	// which have a begin only, Deliver, Settle, Extend and Return; of a bucket Get, Entries, Put and Delete; of a log
	// Append, EachRecord, Count and RemoveRecords.
	Operation string
	End       bool
	Subject   string          // or the filter, the key, the consumer's name
	Sequence  uint64          // of the message; Each, Scan, FollowHeaders, EachRecord: the first one's; Put, Delete: the revision
	Message   stream.Outgoing // Publish
}

// session is a connection from its begin to its loss.
type session struct {
	lost chan struct{}
}

func (s *session) isLost() bool {
	select {
	case <-s.lost:
		return true
	default:
		return false
	}
}

var errNoAnswer = errors.New("no answer in time")

// Connect gives another connection, which is up.
func (s *Stream) Connect() *Conn {
	c := &Conn{stream: s, arrived: make(chan struct{})}
	c.Restore()
	return c
}

// Cut cuts the connection: requests under way fail, and all others until Restore and Ready.
func (c *Conn) Cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session == nil {
		return
	}
	close(c.session.lost)
	c.stream.endReaders(c.session)
	c.session, c.fitting = nil, nil
	c.arrived = make(chan struct{})
}

// Restore connects again.
func (c *Conn) Restore() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session == nil {
		c.session = &session{lost: make(chan struct{})}
		close(c.arrived)
	}
}

// Connected says whether the connection is up.
func (c *Conn) Connected() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.session != nil
}

// Ready waits for the connection, and makes the stream if there is none.
func (c *Conn) Ready(ctx context.Context) (lost <-chan struct{}, err error) {
	for {
		s, err := c.current(ctx)
		if err != nil {
			return nil, err
		}
		err = c.request(ctx, s, Call{Operation: "Ready"}, func() error {
			c.stream.make()
			return nil
		})
		if err == nil {
			c.admit(s)
			return s.lost, nil
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (c *Conn) current(ctx context.Context) (*session, error) {
	for {
		c.mu.Lock()
		s, arrived := c.session, c.arrived
		c.mu.Unlock()
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

func (c *Conn) admit(s *session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session == s {
		c.fitting = s
	}
}

func (c *Conn) usable() (*session, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fitting == nil {
		return nil, stream.ErrDisconnected
	}
	return c.fitting, nil
}

// request lets act happen, between the two gates.
func (c *Conn) request(ctx context.Context, s *session, call Call, act func() error) error {
	ctx, done := s.track(ctx, c.stream.cfg.Patience)
	defer done()
	if err := c.pass(ctx, call); err != nil {
		return err
	}
	err := act()
	call.End = true
	if lost := c.pass(ctx, call); lost != nil {
		return lost
	}
	return err
}

func (c *Conn) pass(ctx context.Context, call Call) error {
	if c.Gate != nil {
		if err := c.Gate(ctx, call); err != nil {
			return err
		}
	}
	return context.Cause(ctx)
}

// track gives a request a context that ends with the connection, and with our patience where it has no deadline.
func (s *session) track(ctx context.Context, patience time.Duration) (context.Context, context.CancelFunc) {
	stop := func() {}
	if _, timed := ctx.Deadline(); !timed {
		ctx, stop = context.WithTimeoutCause(ctx, patience, errNoAnswer)
	}
	ctx, done := s.trackLong(ctx)
	return ctx, func() { done(); stop() }
}

// trackLong is track for what may take its time.
func (s *session) trackLong(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	go func() {
		select {
		case <-s.lost:
			cancel(stream.ErrDisconnected)
		case <-ended:
		}
	}()
	return ctx, func() { close(ended); cancel(nil) }
}
