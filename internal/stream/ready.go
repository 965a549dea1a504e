package stream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// MisfitError says what of the server or the stream does not fit. It stays until someone fixes it.
type MisfitError struct {
	Lines []string // one a misfit, each with its fix
}

// Error is one line a misfit.
func (e *MisfitError) Error() string { return strings.Join(e.Lines, "\n") }

func misfit(format string, args ...any) error {
	return &MisfitError{[]string{fmt.Sprintf(format, args...)}}
}

// Ready waits until NATS is connected, its server is new enough, and the stream is there, fits and can be read; it
// makes the stream if there is none, and never changes one. refuted is closed when that is so no more: the connection
// is lost, or the stream was changed (guard). Then Ready is due again, as it is after ErrNoStream. Until it has once
// succeeded for a connection, and again once that is refuted, all other requests answer ErrDisconnected.
//
// The error is ctx's, or a *MisfitError. Where max_age, max_bytes, replicas or storage differ, that is logged once.
func (b *Broker) Ready(ctx context.Context) (refuted <-chan struct{}, err error) {
	for tries := 1; ; tries++ {
		s, err := b.current(ctx)
		if err != nil {
			return nil, err
		}
		err = b.check(ctx, s)
		if err == nil {
			return b.admit(s), nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		err = permanent(s, err, tries)
		if s.cannotSubscribe() {
			s.nc.Close() // the right is checked when a connection subscribes: only another one can find it granted
		}
		b.refute(s, err)
		if m := (*MisfitError)(nil); errors.As(err, &m) {
			return nil, m
		}
		if !s.isLost() {
			b.logOnce(err)
			b.leave(s)
		}
		if err := pause(ctx); err != nil {
			return nil, err
		}
	}
}

// permanent turns what waiting will not cure into a *MisfitError.
func permanent(s *session, err error, tries int) error {
	var refused *RefusedError
	switch {
	case errors.As(err, &refused):
		return misfit("%s", refused.Text)
	case isCode(err, server.JSNotEnabledForAccountErr), isCode(err, server.JSNotEnabledErr):
		return misfit("%s: JetStream is not enabled for jobwatch's account; %s enable it there (jetstream: enabled)", s.host, leafNodeAdvice)
	case errors.Is(err, nats.ErrNoResponders) && tries >= 3: // a server that stops gives its JetStream up first
		return s.withoutJetStream()
	}
	return err
}

// leafNodeAdvice comes before the advice that would give the server a stream of its own, where another one was meant.
const leafNodeAdvice = "where it is reached through a leaf node, set nats.domain to its domain; else"

func (s *session) withoutJetStream() error {
	if s.domain == "" {
		return misfit("%s: NATS without JetStream; %s mend with: jetstream {store_dir: …} in the server's configuration", s.host, leafNodeAdvice)
	}
	own := ""
	if domain := s.nc.ConnectedDomain(); domain != "" {
		own = " (the server's own is " + domain + ")"
	}
	// No misfit: the leaf node may have lost its hub, which is no reason not to start.
	return fmt.Errorf("%s: no JetStream answers in the domain %s; mend nats.domain%s, or see whether the leaf node is connected", s.host, s.domain, own)
}

func (b *Broker) check(ctx context.Context, s *session) error {
	b.making.Lock()
	defer b.making.Unlock()
	err := b.inspect(ctx, s)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		if b.cfg.ReadOnly {
			return misfit("stream %s: not there yet; start the watcher, which makes it", b.cfg.Stream)
		}
		if err := b.create(ctx, s); err != nil {
			return fmt.Errorf("stream %s: %w", b.cfg.Stream, err)
		}
		err = b.inspect(ctx, s)
	}
	if err != nil || b.cfg.ReadOnly || b.fits(s) {
		return err
	}
	if err := b.heldOutsideDomain(ctx, s); err != nil {
		return err
	}
	return b.tryConsumers(ctx, s)
}

// inspect asks whether server and stream fit, and makes nothing.
func (b *Broker) inspect(ctx context.Context, s *session) error {
	if err := b.cfg.InProcess.Trouble(); err != nil {
		return err
	}
	if err := newEnough(s.host, s.version); err != nil {
		return err
	}
	info, err := s.streamInfo(ctx, b.cfg.Stream)
	if err != nil {
		return fmt.Errorf("stream %s: %w", b.cfg.Stream, err)
	}
	if err := holderNewEnough(info); err != nil {
		return err
	}
	if b.cfg.ReadOnly {
		return nil
	}
	if lines := append(misfits(b.cfg, info), b.forgetsSooner(info.Config)...); len(lines) > 0 {
		return &MisfitError{lines}
	}
	b.warnOnce(differences(b.cfg, info.Config))
	b.warnOnce(s.payloadTooSmall())
	return nil
}

func (s *session) payloadTooSmall() []string {
	n := s.nc.MaxPayload()
	if n >= largest {
		return nil
	}
	return []string{fmt.Sprintf("%s: max_payload is %d, an event may need %d; raise it in the server's configuration", s.host, n, largest)}
}

func (b *Broker) warnOnce(lines []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, line := range lines {
		if !b.warned[line] {
			b.warned[line] = true
			b.log.Warn(line)
		}
	}
}

// newEnough refuses a server below 2.11, which ignores the filter of the expected sequence without a word and checks
// the exact subject instead.
func newEnough(host, version string) error {
	major, rest, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	minor, _, _ := strings.Cut(rest, ".")
	x, errX := strconv.Atoi(major)
	y, errY := strconv.Atoi(minor)
	if errX != nil || errY != nil || x < 2 || x == 2 && y < 11 {
		return misfit("%s is nats-server %s; jobwatch needs 2.11 or newer", host, version)
	}
	return nil
}

// holderNewEnough: the server that holds the stream need not be the one that we are connected to. From 2.11 on it says
// its version with the stream.
func holderNewEnough(is *jetstream.StreamInfo) error {
	return newEnough("the server of stream "+is.Config.Name, cmp.Or(is.Config.Metadata["_nats.ver"], "2.10 or older"))
}

func (s *session) streamInfo(ctx context.Context, name string) (*jetstream.StreamInfo, error) {
	ctx, done := s.track(ctx, s.api("STREAM.INFO."+name))
	defer done()
	st, err := s.js.Stream(ctx, name)
	if err != nil {
		return nil, cause(ctx, err)
	}
	info := st.CachedInfo()
	if info.Cluster != nil && info.Cluster.Leader == "" { // as a server says that is cut off from the others
		return nil, errNoLeader
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limits, s.maxAge = info.Config.ConsumerLimits, info.Config.MaxAge
	return info, nil
}

var errNoLeader = errors.New("it has no leader; see whether most of its servers run, and reach each other")

func isCode(err error, id server.ErrorIdentifier) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && uint16(api.ErrorCode) == code(id)
}
