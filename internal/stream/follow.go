package stream

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Start says where in the stream a reader begins, and what it reads. The zero Start is all of it.
type Start struct {
	Sequence uint64    // this message and those behind it; 0 or 1: all
	Since    time.Time // instead of Sequence: what was stored at this time or later
	Subjects []string  // filters, none within another; empty: all

	headersOnly bool // the server sends no bodies
}

// Follow gives yield every message of the stream from a sequence on (0 or 1: all), those to come included. It ends
// with an error of yield, with ctx's, or with that of a lost connection.
func (b *Broker) Follow(ctx context.Context, from uint64, yield func(Message) error) error {
	return b.FollowFrom(ctx, Start{Sequence: from}, yield)
}

// FollowHeaders is Follow without the bodies, which the server then does not send: a message's Data is empty.
func (b *Broker) FollowHeaders(ctx context.Context, from uint64, yield func(Message) error) error {
	return b.FollowFrom(ctx, Start{Sequence: from, headersOnly: true}, yield)
}

// FollowFrom is Follow of a part of the stream.
func (b *Broker) FollowFrom(ctx context.Context, start Start, yield func(Message) error) error {
	r, err := b.readerOf(ctx, start)
	if err != nil {
		return err
	}
	defer r.close()
	for {
		m, err := r.next()
		if err != nil {
			return err
		}
		if m.Sequence < start.Sequence {
			continue
		}
		if err := yield(m); err != nil {
			return err
		}
	}
}

// readerOf gives the reader that has read up to there, or another one.
func (b *Broker) readerOf(ctx context.Context, start Start) (*reader, error) {
	s, err := b.usable()
	if err != nil {
		return nil, err
	}
	if start.Sequence > 1 && start.Since.IsZero() && len(start.Subjects) == 0 && !start.headersOnly {
		if r := s.takeIdle(ctx, start.Sequence); r != nil {
			return r, nil
		}
	}
	return b.openReader(ctx, start)
}

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

// readThrough yields the messages from one sequence to another, both included, and returns the last one read. It goes
// on with the reader that has read up to there, where the server still knows it.
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
