package stream

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// session is one connection, from its handshake to its loss. It never reconnects: the next connection is another
// session, whose server version and stream are checked anew before anything is published through it.
type session struct {
	nc      *nats.Conn
	js      jetstream.JetStream
	domain  string        // of JetStream; "": the server's own
	host    string        // and port of the server, without what its URL may hold of a password
	version string        // of the server
	lost    chan struct{} // closed when the connection is gone
	refute  func(error)   // says that server or stream fit no more

	untraceable atomic.Bool // its servers do not tell where a subject leads
	readers     readers

	mu      sync.Mutex
	flights map[*flight]bool               // requests under way
	limits  jetstream.StreamConsumerLimits // of the stream, as it was last looked at
	maxAge  time.Duration                  // of the stream, too
	deaf    error                          // set when the user may not subscribe to the inbox: no answer can come

	askedPayload time.Time // when a server was last asked for its max_payload
	misled       string    // a subject without the right to publish, to which nothing was published: another one was turned into it
}

// flight is a request under way. NATS answers one without the right to publish by an error on the connection that
// names the subject, while the request itself waits for nothing.
type flight struct {
	subject string // or a prefix that ends in >
	cancel  context.CancelCauseFunc
}

func newSession() *session {
	return &session{lost: make(chan struct{}), flights: map[*flight]bool{}}
}

// api is the subject of a request to JetStream.
func (s *session) api(request string) string {
	if s.domain == "" {
		return jetstream.DefaultAPIPrefix + request
	}
	return "$JS." + s.domain + ".API." + request
}

// fly registers a request to subject. Its context ends when the connection is lost or the right is refused, with the
// reason as its cause: grounded asks for it. Without a deadline it ends after 5 s.
func (s *session) fly(ctx context.Context, subject string) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return s.watch(ctx, subject)
	}
	timed, stop := context.WithTimeoutCause(ctx, requestTimeout, errNoAnswer)
	ctx, land := s.watch(timed, subject)
	return ctx, func() { land(); stop() }
}

// watch is fly for what may take its time.
func (s *session) watch(ctx context.Context, subject string) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	f := &flight{subject, cancel}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flights[f] = true
	if s.deaf != nil {
		cancel(s.deaf)
	}
	if s.isLost() {
		cancel(ErrDisconnected)
	}
	return ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.flights, f)
		cancel(nil)
	}
}

// grounded returns why the request's context ended, which says more than the error of the request.
func grounded(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if errors.Is(err, nats.ErrDisconnected) || errors.Is(err, nats.ErrConnectionClosed) ||
		errors.Is(err, jetstream.ErrConnectionClosed) {
		return ErrDisconnected
	}
	return err
}

func (s *session) isLost() bool {
	select {
	case <-s.lost:
		return true
	default:
		return false
	}
}

// last waits until the connection is lost or ctx ends, and leaves it closed.
func (s *session) last(ctx context.Context) {
	select {
	case <-s.lost:
	case <-ctx.Done():
		s.removeAll()
		s.nc.Close()
		<-s.lost
	}
}

func (s *session) onClosed(*nats.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.lost)
	for f := range s.flights {
		f.cancel(ErrDisconnected)
	}
}

// onError hears what the server says outside any answer; we act on refused rights, the rest ends the connection.
func (s *session) onError(_ *nats.Conn, _ *nats.Subscription, err error) {
	if !errors.Is(err, nats.ErrPermissionViolation) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	action, subject := refusedRight(err.Error())
	if strings.HasPrefix(subject, s.api("CONSUMER.DELETE.")) { // no reader misses that right
		return
	}
	if action == "Subscription" {
		s.deaf = permissionError("subscribe to", "_INBOX.>")
	}
	known := false
	for f := range s.flights {
		switch {
		case s.deaf != nil:
			f.cancel(s.deaf)
		case f.uses(subject):
			f.cancel(permissionError("publish to", subject))
			known = true
		}
	}
	if action == "Publish" && !known && !strings.HasPrefix(subject, "$JS.") && !strings.HasPrefix(subject, nats.InboxPrefix) {
		s.misled = subject
	}
}

// silence says why a publish was not answered: its subject may have been turned into one without the right.
func (s *session) silence(stream, subject string, err error) error {
	if !errors.Is(err, errNoAnswer) {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.misled == "" {
		return err
	}
	err = elsewhere(stream, subject, s.misled, "")
	s.misled = ""
	return err
}

func (f *flight) uses(subject string) bool {
	if prefix, ok := strings.CutSuffix(f.subject, ">"); ok {
		return strings.HasPrefix(subject, prefix)
	}
	return f.subject == subject
}

// refusedRight takes apart `… Permissions Violation for Publish to "subject"`.
func refusedRight(text string) (action, subject string) {
	_, text, _ = strings.Cut(text, "Permissions Violation for ")
	action, text, _ = strings.Cut(text, " to ")
	quoted, _ := strconv.QuotedPrefix(text)
	subject, _ = strconv.Unquote(quoted)
	return action, subject
}

func (s *session) cannotHear() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.deaf != nil
}

func (s *session) whyLost() error {
	if err := s.nc.LastError(); err != nil {
		return fmt.Errorf("%s: connection lost: %w", s.host, plain(err))
	}
	return fmt.Errorf("%s: connection lost", s.host)
}

func (s *session) longestAge() *time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return new(s.maxAge)
}
