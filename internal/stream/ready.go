package stream

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// MisfitError says what of the server or the stream does not fit, a line each, and how to mend it.
// It stays until someone does.
type MisfitError struct {
	Lines []string
}

func (e *MisfitError) Error() string { return strings.Join(e.Lines, "\n") }

func misfit(format string, values ...any) error {
	return &MisfitError{[]string{fmt.Sprintf(format, values...)}}
}

// Ready waits until NATS is connected, its server is new enough, and the stream is there and fits; it
// is made if it is absent. lost is closed when that connection is lost.
//
// The error is ctx's, or a *MisfitError.
func (b *Broker) Ready(ctx context.Context) (lost <-chan struct{}, err error) {
	for {
		s, err := b.current(ctx)
		if err != nil {
			return nil, err
		}
		err = b.fit(ctx, s)
		var misfit *MisfitError
		switch {
		case err == nil:
			b.admit(s)
			return s.lost, nil
		case errors.As(err, &misfit):
			return nil, misfit
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case !errors.Is(err, ErrDisconnected):
			b.note(err)
		}
		if err := pause(ctx); err != nil {
			return nil, err
		}
	}
}

// fit checks the server and the stream of a session.
func (b *Broker) fit(ctx context.Context, s *session) error {
	if err := checkVersion(s.host, s.nc.ConnectedServerVersion()); err != nil {
		return err
	}
	info, err := s.streamInfo(ctx, b.cfg.Stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return b.makeStream(ctx, s)
	}
	if err != nil {
		return b.cannotUse(s, err)
	}
	if lines := b.cfg.misfits(info.Config); len(lines) > 0 {
		return &MisfitError{lines}
	}
	b.warn(b.cfg.differences(info.Config))
	return nil
}

func (b *Broker) makeStream(ctx context.Context, s *session) error {
	ctx, land := s.fly(ctx, "$JS.API.STREAM.CREATE."+b.cfg.Stream)
	defer land()
	_, err := s.js.CreateStream(ctx, b.cfg.newStream())
	switch {
	case err == nil:
		b.log.Info("made stream " + b.cfg.Stream)
		return nil
	case errors.Is(err, jetstream.ErrStreamNameAlreadyInUse):
		return fmt.Errorf("stream %s: made by another client meanwhile", b.cfg.Stream)
	}
	var api *jetstream.APIError
	if errors.As(err, &api) && uint16(api.ErrorCode) == subjectsOverlap {
		return misfit("stream %s: another stream%s already takes %s; name that one in nats.stream, or set nats.subject_prefix",
			b.cfg.Stream, b.holder(ctx, s), strings.Join(b.cfg.Subjects, " or "))
	}
	return b.cannotUse(s, grounded(ctx, err))
}

const subjectsOverlap = 10065 // nats-server, errors.json: JSStreamSubjectOverlapErr

// holder names the stream that takes our subjects.
func (b *Broker) holder(ctx context.Context, s *session) string {
	for _, subject := range b.cfg.Subjects {
		if name, err := s.js.StreamNameBySubject(ctx, subject); err == nil {
			return " (" + name + ")"
		}
	}
	return ""
}

// cannotUse tells what stays until someone mends it from what passes.
func (b *Broker) cannotUse(s *session, err error) error {
	var api *jetstream.APIError
	var refused *RefusedError
	switch {
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount),
		errors.Is(err, nats.ErrNoResponders):
		return misfit("%s has no JetStream; start it with -js, or enable it for the account", s.host)
	case errors.As(err, &refused):
		return misfit("stream %s: %s", b.cfg.Stream, refused.Text)
	case errors.As(err, &api) && api.Code < 500:
		return misfit("stream %s: %s; mend nats.stream, nats.replicas or nats.max_bytes, or the account's limits",
			b.cfg.Stream, api.Description)
	}
	return fmt.Errorf("stream %s: %w", b.cfg.Stream, err)
}

// streamInfo asks the stream's leader for its configuration and state.
func (s *session) streamInfo(ctx context.Context, name string) (*jetstream.StreamInfo, error) {
	ctx, land := s.fly(ctx, "$JS.API.STREAM.INFO."+name)
	defer land()
	found, err := s.js.Stream(ctx, name)
	if err != nil {
		return nil, grounded(ctx, err)
	}
	return found.CachedInfo(), nil
}

// flyLong registers what may take longer than a request: it ends with its context and the connection only.
func (s *session) flyLong(ctx context.Context, subject string) (context.Context, context.CancelFunc) {
	return s.register(ctx, subject, func() {})
}

const leastMinor = 11 // of nats-server 2: the first whose expected sequence minds a filter

func checkVersion(host, version string) error {
	major, rest, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	minor, _, _ := strings.Cut(rest, ".")
	m, err1 := strconv.Atoi(major)
	n, err2 := strconv.Atoi(minor)
	if err1 != nil || err2 != nil || m < 2 || m == 2 && n < leastMinor {
		return misfit("%s is nats-server %s; jobwatch needs 2.%d or newer", host, version, leastMinor)
	}
	return nil
}
