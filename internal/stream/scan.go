package stream

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// scanIdle is how long a scan waits for the next message before it asks the leader whether one is still to come:
	// what it waits for may have been deleted, or its consumer may sit on a replica that lags.
	scanIdle = 250 * time.Millisecond

	scanPatience = 40 // such waits in a row, then the scan gives up
)

// Scan gives yield every message of the stream from a sequence on (0 or 1: all), in order and in one pass, until what
// was there when it began has been read. It returns the stream's last sequence at that time, even if the last messages
// were deleted: reading goes on at last+1. Nothing above last is yielded.
//
// An error of yield ends it and is returned; else the errors are those of Last. last is then the last sequence read,
// so that a caller who kept what it was given can go on behind it. A lost connection ends a scan.
func (b *Broker) Scan(ctx context.Context, from uint64, yield func(Message) error) (last uint64, err error) {
	from = max(from, 1)
	info, err := b.Info(ctx)
	if err != nil {
		return from - 1, err
	}
	some, err := b.anyLeft(ctx, from, info.Last)
	if err != nil {
		return from - 1, err
	}
	if !some {
		return info.Last, nil
	}
	if read, err := b.readThrough(ctx, from, info.Last, yield); err != nil {
		return read, err
	}
	return info.Last, nil
}

// readThrough yields the messages from one sequence to another, both included, and returns the last one read. It goes on
// with the reader that has read up to there, where the server still knows it.
func (b *Broker) readThrough(ctx context.Context, from, to uint64, yield func(Message) error) (read uint64, err error) {
	if from > to {
		return from - 1, nil
	}
	s, err := b.usable()
	if err != nil {
		return from - 1, err
	}
	if r := s.takeIdle(ctx, from); r != nil {
		var enough error
		read, err = b.readWith(ctx, r, from, to, 0, func(m Message) error {
			enough = yield(m)
			return enough
		})
		if err == nil || enough != nil || ctx.Err() != nil {
			return read, err
		}
		from = read + 1
	}
	r, err := b.openReader(ctx, Start{Sequence: from})
	if err != nil {
		return from - 1, err
	}
	return b.readWith(ctx, r, from, to, scanPatience, yield)
}

// readWith reads with a reader, which is kept idle when all is read, and closed otherwise.
func (b *Broker) readWith(ctx context.Context, r *reader, from, to uint64, patience int, yield func(Message) error) (read uint64, err error) {
	defer func() {
		if err == nil {
			r.session.keepIdle(r)
		} else {
			r.close()
		}
	}()
	read = from - 1
	for idle := 0; read < to; {
		m, err := r.next(jetstream.NextMaxWait(scanIdle))
		switch {
		case errors.Is(err, nats.ErrTimeout) && idle < patience:
			idle++
			if left, err := b.anyLeft(ctx, read+1, to); err != nil || !left {
				return read, err
			}
			continue
		case err != nil:
			return read, err
		case m.Sequence > to: // the last ones were deleted while we read
			r.unread(m)
			return read, nil
		case m.Sequence < from: // read by another meanwhile
			continue
		}
		if err := yield(m); err != nil {
			return read, err
		}
		read, idle = m.Sequence, 0
	}
	return read, nil
}

// anyLeft asks the leader whether a message is left between two sequences, both included.
func (b *Broker) anyLeft(ctx context.Context, from, to uint64) (bool, error) {
	m, err := b.get(ctx, query{Sequence: from, NextBySubject: ">"})
	if errors.Is(err, ErrNone) {
		return false, nil
	}
	return m.Sequence <= to, err
}
