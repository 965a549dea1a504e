package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// keepMarker is how long a bucket remembers that a key was deleted.
const keepMarker = time.Hour

// Bucket gives a key-value bucket: the stream KV_<name>, as NATS's own tools know them. No replica answers for its leader.
func (b *Broker) Bucket(name string) Bucket { return &bucket{b, name} }

type bucket struct {
	broker *Broker
	name   string
}

func (k *bucket) stream() string            { return "KV_" + k.name }
func (k *bucket) subject(key string) string { return "$KV." + k.name + "." + key }
func (k *bucket) config() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: k.stream(), Description: "What jobwatch remembers beside the stream", Subjects: []string{"$KV." + k.name + ".>"},
		Storage: jetstream.FileStorage, Replicas: k.broker.cfg.Replicas, MaxMsgsPerSubject: 1, MaxMsgSize: -1, MaxBytes: -1, MaxMsgs: -1,
		MaxConsumers: -1, Discard: jetstream.DiscardNew, AllowRollup: true, DenyDelete: true, AllowMsgTTL: true, Duplicates: duplicateWindow,
	}
}

func (k *bucket) Get(ctx context.Context, key string) (Entry, error) {
	r, err := k.broker.getFrom(ctx, k.stream(), query{LastBySubject: k.subject(key)})
	if errors.Is(err, ErrNone) || errors.Is(err, ErrNoStream) {
		return Entry{Key: key}, nil
	}
	if err != nil {
		return Entry{}, err
	}
	return k.entry(r), nil
}

func (k *bucket) entry(r Record) Entry {
	e := Entry{Key: strings.TrimPrefix(r.Subject, k.subject("")), Revision: r.Sequence, Stored: r.Stored}
	header := nats.Header(r.Header)
	if header.Get(operation) == "" && header.Get(jetstream.MarkerReasonHeader) == "" {
		e.Value = append([]byte{}, r.Data...) // an empty one is one
	}
	return e
}

const operation = "KV-Operation"

func (k *bucket) Entries(ctx context.Context, filter string) ([]Entry, error) {
	all, err := k.read(ctx, filter, 1)
	if errors.Is(err, ErrNoStream) {
		return nil, nil
	}
	return slices.DeleteFunc(all, func(e Entry) bool { return e.Value == nil }), err
}

func (k *bucket) Since(ctx context.Context, revision uint64) ([]Entry, error) {
	return k.read(ctx, ">", revision+1)
}

func (k *bucket) read(ctx context.Context, filter string, from uint64) (all []Entry, err error) {
	for {
		r, err := k.broker.getFrom(ctx, k.stream(), query{Sequence: from, NextBySubject: k.subject(filter)})
		if errors.Is(err, ErrNone) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		all = append(all, k.entry(r))
		from = r.Sequence + 1
	}
}

func (k *bucket) Hear(ctx context.Context, filters []string, heard func()) {
	for {
		s, err := k.broker.current(ctx)
		if err != nil {
			return // ctx has ended
		}
		s.hear(ctx, k, filters, heard)
		if pause(ctx) != nil {
			return
		}
	}
}

// hear subscribes until the connection is lost or ctx ends.
func (s *session) hear(ctx context.Context, k *bucket, filters []string, heard func()) {
	for _, filter := range filters {
		sub, err := s.nc.Subscribe(k.subject(filter), func(*nats.Msg) { heard() })
		if err != nil {
			return
		}
		defer func() { _ = sub.Unsubscribe() }() // on a lost connection there is nothing to end
	}
	select {
	case <-s.lost:
	case <-ctx.Done():
	}
}

func (k *bucket) Put(ctx context.Context, e Entry) (uint64, error) {
	return k.write(ctx, &nats.Msg{Subject: k.subject(e.Key), Data: e.Value}, e.Revision, e.Keep)
}

func (k *bucket) Delete(ctx context.Context, key string, revision uint64) error {
	_, err := k.write(ctx, &nats.Msg{Subject: k.subject(key), Header: nats.Header{operation: {"DEL"}}}, revision, keepMarker)
	return err
}

func (k *bucket) write(ctx context.Context, m *nats.Msg, revision uint64, keep time.Duration) (uint64, error) {
	condition := []jetstream.PublishOpt{jetstream.WithExpectLastSequencePerSubject(revision)}
	if keep > 0 {
		condition = append(condition, jetstream.WithMsgTTL(max(keep, time.Second)))
	}
	return k.broker.putInto(ctx, k.config(), m, condition...)
}

// putInto publishes into a stream of our own beside the main one, and makes it where nobody takes what is published.
func (b *Broker) putInto(ctx context.Context, into jetstream.StreamConfig, m *nats.Msg, condition ...jetstream.PublishOpt) (uint64, error) {
	if !carriable(m.Subject) {
		return 0, badSubject(Outgoing{Subject: m.Subject})
	}
	s, err := b.usable()
	if err != nil {
		return 0, err
	}
	condition = append(condition, jetstream.WithExpectStream(into.Name), jetstream.WithRetryAttempts(0))
	if s.domain != "" && strings.HasPrefix(m.Subject, "$KV.") { // no leaf node lets it through as it is
		m = &nats.Msg{Subject: s.api(m.Subject), Header: m.Header, Data: m.Data}
		err = b.knowBeside(ctx, s, into.Name)
	}
	var sequence uint64
	if err == nil {
		sequence, err = s.put(ctx, into.Name, m, condition)
	}
	if err != nil { // it may have been removed
		s.beside.Delete(into.Name)
	}
	if errors.Is(err, ErrNoStream) && !b.cfg.ReadOnly {
		if err := s.makeBeside(ctx, into); err != nil {
			return 0, err
		}
		sequence, err = s.putIntoNew(ctx, into.Name, m, condition)
	}
	var busy *SequenceError
	if errors.As(err, &busy) {
		return 0, ErrChanged
	}
	return sequence, err
}

// knowBeside is ErrNoStream where a stream of another domain is not there: a write would not be answered.
func (b *Broker) knowBeside(ctx context.Context, s *session, name string) error {
	if _, known := s.beside.Load(name); known {
		return nil
	}
	if _, err := b.getFrom(ctx, name, query{Sequence: 1}); err != nil && !errors.Is(err, ErrNone) {
		return err
	}
	s.beside.Store(name, true)
	return nil
}

// putIntoNew tries again for a moment: of a cluster's servers one may learn later than another that there is a stream.
func (s *session) putIntoNew(ctx context.Context, stream string, m *nats.Msg, condition []jetstream.PublishOpt) (uint64, error) {
	for wait := 10 * time.Millisecond; ; wait *= 2 {
		sequence, err := s.put(ctx, stream, m, condition)
		if !errors.Is(err, ErrNoStream) || wait > time.Second || !sleep(ctx, wait) {
			return sequence, err
		}
	}
}

func (s *session) put(ctx context.Context, stream string, m *nats.Msg, condition []jetstream.PublishOpt) (uint64, error) {
	tracked, done := s.track(ctx, m.Subject)
	defer done()
	ack, err := s.js.PublishMsg(tracked, m, condition...)
	if err != nil {
		return 0, refusal(stream, Outgoing{Subject: m.Subject, Data: m.Data}, cause(tracked, err))
	}
	return ack.Sequence, nil
}

// makeBeside makes a stream of ours beside the main one. That another was faster is no error.
func (s *session) makeBeside(ctx context.Context, c jetstream.StreamConfig) error {
	tracked, done := s.track(ctx, s.api("STREAM.CREATE."+c.Name))
	defer done()
	_, err := s.js.CreateStream(tracked, c)
	if err == nil || errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
		return nil
	}
	err = cause(tracked, err)
	if isCode(err, server.JSStreamSubjectOverlapErr) {
		return misfit("stream %s cannot be made: another stream holds subjects of %s; take them from it, or set nats.subject_prefix",
			c.Name, strings.Join(c.Subjects, ", "))
	}
	return fmt.Errorf("stream %s cannot be made: %w", c.Name, err)
}
