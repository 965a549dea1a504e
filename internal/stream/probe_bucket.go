package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// ProbeBucket tries the rights that a bucket needs, as Probe tries those of the stream, and has it read by look. It makes
// and stores nothing. Where the server itself does not answer, Probe says so.
func ProbeBucket(ctx context.Context, cfg Config, name string, look func(context.Context, Bucket) error) error {
	cfg.Log = slog.New(slog.DiscardHandler)
	b := New(cfg)
	s, err := b.dial(ctx, nil)
	if err != nil {
		return err
	}
	defer s.nc.Close()
	b.up(s)
	b.admit(s)
	k := &bucket{b, name}
	if err := k.mayWrite(ctx, s); err != nil {
		return fmt.Errorf("write bucket %s: %w", name, err)
	}
	if _, err := k.Get(ctx, "check"); err != nil {
		return fmt.Errorf("read bucket %s: %w", name, err)
	}
	return look(ctx, k)
}

// mayWrite publishes what the bucket must refuse.
func (k *bucket) mayWrite(ctx context.Context, s *session) error {
	subject := k.subject("check")
	tracked, done := s.track(ctx, subject)
	defer done()
	_, err := s.js.PublishMsg(tracked, &nats.Msg{Subject: subject}, jetstream.WithExpectStream(noSuchStream), jetstream.WithRetryAttempts(0))
	err = cause(tracked, err)
	if isCode(err, server.JSStreamNotMatchErr) || errors.Is(err, jetstream.ErrNoStreamResponse) { // not there yet: run makes it
		return nil
	}
	return err
}
