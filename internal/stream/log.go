package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// What a log keeps.
const (
	logMaxAge   = 90 * 24 * time.Hour
	logMaxBytes = 1 << 30
)

// Log gives a stream beside the main one, on subjects of its own.
func (b *Broker) Log(name string, subjects []string) Log { return &recordLog{b, name, subjects} }

type recordLog struct {
	broker   *Broker
	name     string
	subjects []string
}

func (l *recordLog) config() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: l.name, Description: "What jobwatch tells of its relays", Subjects: l.subjects,
		Storage: jetstream.FileStorage, Replicas: l.broker.cfg.Replicas, MaxAge: logMaxAge, MaxBytes: logMaxBytes,
		MaxMsgs: -1, MaxMsgsPerSubject: -1, MaxMsgSize: -1, MaxConsumers: -1, Discard: jetstream.DiscardOld,
		AllowDirect: true, Duplicates: duplicateWindow,
	}
}

func (l *recordLog) Append(ctx context.Context, r Record, once bool) (uint64, error) {
	m := &nats.Msg{Subject: r.Subject, Data: r.Data, Header: r.Header}
	var condition []jetstream.PublishOpt
	if once {
		condition = append(condition, jetstream.WithExpectLastSequencePerSubject(0))
	}
	return l.broker.putInto(ctx, l.config(), m, condition...)
}

func (l *recordLog) Each(ctx context.Context, filter string, yield func(Record) error) error {
	for from := uint64(1); ; {
		r, err := l.broker.getFrom(ctx, l.name, query{Sequence: from, NextBySubject: filter})
		if errors.Is(err, ErrNone) || errors.Is(err, ErrNoStream) {
			return nil
		}
		if err == nil {
			err = yield(r)
		}
		if err != nil {
			return err
		}
		from = r.Sequence + 1
	}
}

func (l *recordLog) Count(ctx context.Context, filter string) (map[string]uint64, error) {
	s, err := l.broker.usable()
	if err != nil {
		return nil, err
	}
	ctx, done := s.track(ctx, s.api("STREAM.INFO."+l.name))
	defer done()
	st, err := s.js.Stream(ctx, l.name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", l.name, cause(ctx, err))
	}
	info, err := st.Info(ctx, jetstream.WithSubjectFilter(filter))
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", l.name, cause(ctx, err))
	}
	return info.State.Subjects, nil
}

func (l *recordLog) Remove(ctx context.Context, filter string) error {
	s, err := l.broker.usable()
	if err != nil {
		return err
	}
	ctx, done := s.track(ctx, s.api("STREAM.>"))
	defer done()
	st, err := s.js.Stream(ctx, l.name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil
	}
	if err == nil {
		err = st.Purge(ctx, jetstream.WithPurgeSubject(filter))
	}
	if err != nil {
		return fmt.Errorf("stream %s: %w", l.name, cause(ctx, err))
	}
	return nil
}
