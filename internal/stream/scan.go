package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// scanIdle is how long a scan waits for the next message before it asks the leader whether one is still to come:
	// what it waits for may have been deleted, or its consumer may sit on a replica that lags.
	scanIdle = 250 * time.Millisecond

	// scanAhead messages are fetched before they are asked for; at 64 KiB each, 32 MiB.
	scanAhead = 500
)

// Scan gives yield every message of the stream from a sequence on (0 or 1: all), in order and in one pass, until what
// was there when it began has been read. It returns the stream's last sequence at that time, even if the last messages
// were deleted: reading goes on at last+1. Nothing above last is yielded.
//
// An error of yield ends it and is returned; else the errors are those of Last. last is then the last sequence read,
// so that a caller who kept what it was given may go on behind it. A lost connection ends a scan.
func (b *Broker) Scan(ctx context.Context, from uint64, yield func(Message) error) (last uint64, err error) {
	from = max(from, 1)
	info, err := b.Info(ctx)
	if err != nil {
		return from - 1, err
	}
	end := info.Last
	if from > end || info.Messages == 0 {
		return end, nil
	}
	read := from - 1
	err = b.consume(ctx, from, func(m Message) (bool, error) {
		if m.Sequence > end {
			return false, nil
		}
		if err := yield(m); err != nil {
			return false, err
		}
		read = m.Sequence
		return read < end, nil
	}, func() (bool, error) {
		next, err := b.get(ctx, query{Sequence: read + 1, NextBySubject: ">"})
		if errors.Is(err, ErrNone) {
			return false, nil
		}
		return next.Sequence <= end, err
	})
	if err != nil {
		return read, err
	}
	return end, nil
}

// Follow gives yield every message of the stream from a sequence on, those to come included, until ctx
// ends or the connection is lost.
func (b *Broker) Follow(ctx context.Context, from uint64, yield func(Message) error) error {
	return b.consume(ctx, from, func(m Message) (bool, error) {
		return true, yield(m)
	}, func() (bool, error) { return true, nil })
}

// consume gives yield the messages from a sequence on, until it has enough. idle says whether to go on
// waiting when none has come for a while.
func (b *Broker) consume(ctx context.Context, from uint64, yield func(Message) (more bool, err error), idle func() (more bool, err error)) error {
	s, err := b.usable()
	if err != nil {
		return err
	}
	ctx, land := s.flyLong(ctx, "$JS.API.CONSUMER.>")
	defer land()
	consumer, err := s.js.OrderedConsumer(ctx, b.cfg.Stream, jetstream.OrderedConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: max(from, 1),
	})
	if err != nil {
		return fmt.Errorf("read stream %s: %w", b.cfg.Stream, grounded(ctx, err))
	}
	messages, err := consumer.Messages(jetstream.PullMaxMessages(scanAhead))
	if err != nil {
		return fmt.Errorf("read stream %s: %w", b.cfg.Stream, grounded(ctx, err))
	}
	defer messages.Stop()
	for more := true; more; {
		more, err = b.consumeOne(ctx, messages, yield, idle)
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *Broker) consumeOne(ctx context.Context, messages jetstream.MessagesContext, yield func(Message) (bool, error), idle func() (bool, error)) (bool, error) {
	m, err := messages.Next(jetstream.NextMaxWait(scanIdle))
	if errors.Is(err, nats.ErrTimeout) && ctx.Err() == nil {
		return idle()
	}
	if err != nil {
		return false, fmt.Errorf("read stream %s: %w", b.cfg.Stream, grounded(ctx, err))
	}
	place, err := m.Metadata()
	if err != nil {
		return false, err
	}
	return yield(Message{
		Subject: m.Subject(), ID: m.Headers().Get(jetstream.MsgIDHeader), Sequence: place.Sequence.Stream, Data: m.Data(),
	})
}
