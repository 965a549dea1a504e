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
// session, whose server version and stream are checked before anything is published through it.
type session struct {
	nc       *nats.Conn
	js       jetstream.JetStream
	domain   string                          // of JetStream; "": the server's own
	host     string                          // and port of the server, without what its URL may hold of a password
	version  string                          // of the server
	since    time.Time                       // it is connected; guarded by the broker's mu
	unserved time.Time                       // since when its JetStream does not serve; guarded by the broker's mu
	alone    bool                            // no other server is known
	lost     chan struct{}                   // closed when the connection is gone
	refute   func(error)                     // says that server or stream fit no more
	lacks    func(without string, err error) // says what goes on without a right

	untraceable atomic.Bool // its servers do not tell where a subject leads
	readers     readers
	beside      sync.Map // names of the buckets that are known to be there, in another domain

	mu       sync.Mutex
	requests map[*request]bool              // requests under way
	limits   jetstream.StreamConsumerLimits // of the stream, as it was last inspected
	maxAge   time.Duration                  // of the stream, too
	noInbox  error                          // set when the user may not subscribe to the inbox: no answer can come

	askedPayload time.Time // when a server was last asked for its max_payload
	misrouted    string    // a subject that we have no right to publish to and did not name: another one was mapped to it
}

// request is a request under way. NATS answers one without the right to publish by an error on the connection that
// names the subject, while the request itself waits for nothing.
type request struct {
	subject string // or a prefix that ends in >
	cancel  context.CancelCauseFunc
}

func newSession() *session {
	return &session{lost: make(chan struct{}), requests: map[*request]bool{}, lacks: func(string, error) {}}
}

// api is the subject of a request to JetStream.
func (s *session) api(request string) string {
	if s.domain == "" {
		return jetstream.DefaultAPIPrefix + request
	}
	return "$JS." + s.domain + ".API." + request
}

// track registers a request to subject. Its context ends when the connection is lost or the right is refused, with the
// reason as its cause, which the function cause reads. Without a deadline it ends after 5 s.
func (s *session) track(ctx context.Context, subject string) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return s.trackLong(ctx, subject)
	}
	timed, stop := context.WithTimeoutCause(ctx, requestTimeout, errNoAnswer)
	ctx, done := s.trackLong(timed, subject)
	return ctx, func() { done(); stop() }
}

// trackLong is track for what may take its time.
func (s *session) trackLong(ctx context.Context, subject string) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	r := &request{subject, cancel}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests[r] = true
	if s.noInbox != nil {
		cancel(s.noInbox)
	}
	if s.isLost() {
		cancel(ErrDisconnected)
	}
	return ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.requests, r)
		cancel(nil)
	}
}

// onRefused calls f, at most once, when the right to publish to the subject is refused, or the connection is lost, until
// stop is called.
func (s *session) onRefused(subject string, f func(error)) (stop func()) {
	ctx, done := s.trackLong(context.Background(), subject)
	unless := context.AfterFunc(ctx, func() { f(context.Cause(ctx)) })
	return func() { unless(); done() }
}

// cause returns why the request's context ended, which says more than the error of the request.
func cause(ctx context.Context, err error) error {
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

// closeWhenDone waits until the connection is lost or ctx ends, and leaves it closed.
func (s *session) closeWhenDone(ctx context.Context) {
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
	for r := range s.requests {
		r.cancel(ErrDisconnected)
	}
}

// onError is given what the server says outside any answer; we act on refused rights, the rest ends the connection.
func (s *session) onError(_ *nats.Conn, _ *nats.Subscription, err error) {
	if !errors.Is(err, nats.ErrPermissionViolation) {
		return
	}
	action, subject := refusedRight(err.Error())
	if without, err := s.refused(action, subject); without != "" {
		s.lacks(without, err)
	}
}

const unanswered = "requests over NATS are not answered; all else goes on"

// refused takes note of a right that was refused, and says what goes on without it, if something does.
func (s *session) refused(action, subject string) (without string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch inbox := strings.HasPrefix(subject, nats.InboxPrefix); {
	case action == "Subscription" && inbox:
		s.noInbox = permissionError("subscribe to", "_INBOX.>")
		for r := range s.requests {
			r.cancel(s.noInbox)
		}
	case action == "Subscription" && strings.HasPrefix(subject, "$KV."):
		return "what other watchers say is heard a moment later", permissionError("subscribe to", subject)
	case action == "Subscription":
		return unanswered, permissionError("subscribe to", subject)
	case strings.HasPrefix(subject, s.api("CONSUMER.DELETE.")):
		s.end(subject, func(r *request) bool { return strings.HasPrefix(r.subject, s.api("CONSUMER.DELETE.")) })
		return "consumers that are not needed stay until the server forgets them", permissionError("publish to", subject)
	case s.end(subject, func(*request) bool { return true }):
	case inbox: // of somebody who asked
		return unanswered, permissionError("publish to", "_INBOX.>")
	case !strings.HasPrefix(subject, "$JS."):
		s.misrouted = subject
	}
	return "", nil
}

// end ends requests that need the right to publish to the subject, and says whether there were any. It needs s.mu.
func (s *session) end(subject string, which func(*request) bool) (any bool) {
	for r := range s.requests {
		if r.uses(subject) && which(r) {
			r.cancel(permissionError("publish to", subject))
			any = true
		}
	}
	return any
}

// explainNoAnswer says why a publish was not answered: its subject may have been mapped to one that we have no right
// to publish to.
func (s *session) explainNoAnswer(stream, subject string, err error) error {
	if !errors.Is(err, errNoAnswer) {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.misrouted == "" {
		return err
	}
	err = elsewhere(stream, subject, s.misrouted, "")
	s.misrouted = ""
	return err
}

func (r *request) uses(subject string) bool {
	if prefix, ok := strings.CutSuffix(r.subject, ">"); ok {
		return strings.HasPrefix(subject, prefix)
	}
	return r.subject == subject
}

// refusedRight takes apart `… Permissions Violation for Publish to "subject"`.
func refusedRight(text string) (action, subject string) {
	_, text, _ = strings.Cut(text, "Permissions Violation for ")
	action, text, _ = strings.Cut(text, " to ")
	quoted, _ := strconv.QuotedPrefix(text)
	subject, _ = strconv.Unquote(quoted)
	return action, subject
}

func (s *session) cannotSubscribe() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.noInbox != nil
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
