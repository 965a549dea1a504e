package stream

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"jobwatch/internal/progress"
)

// Start says where in the stream a reader begins, and what it reads. The zero Start is all of it.
type Start struct {
	Sequence uint64    // this message and those behind it; 0 or 1: all
	Since    time.Time // instead of Sequence: what was stored at this time or later
	Subjects []string  // filters, none within another; empty: all

	headersOnly  bool          // the server sends no bodies
	openPatience time.Duration // with the making of the consumer; 0: as long as with any request
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

	scanPatience = 8 // such waits in a row, then the consumer is taken for one that a dead server holds

	openPatience = scanPatience * scanIdle // with the making of a scan's consumer, for the same reason

	mostByGets = 2000 // sequences that are read from the leader, before another consumer is tried
)

// errSilent says that a consumer gives nothing, though messages are due. It lives on one server, in memory, and that may
// be the one that has just died.
var errSilent = errors.New("the consumer gives nothing of what is due")

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
	if read, err := b.readThrough(ctx, from, info.Last, telling(ctx, info.Last, yield)); err != nil {
		return read, err
	}
	return info.Last, nil
}

// telling is yield for a reading up to a sequence, and tells whoever looks on how far that is.
func telling(ctx context.Context, last uint64, yield func(Message) error) func(Message) error {
	first, is := uint64(0), func(int64) {}
	return func(m Message) error {
		if first == 0 {
			first = m.Sequence
			is = progress.Of(ctx, "reading the stream", "events", int64(last-first)+1)
		}
		is(int64(m.Sequence-first) + 1)
		return yield(m)
	}
}

// readThrough yields the messages from one sequence to another, both included, and returns the last one read. It goes
// on with the reader that has read up to there, where the server still knows it.
//
// Where a consumer is silent though messages are due, the leader is asked for each.
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
	for {
		read, err = b.readAnew(ctx, from, to, yield)
		if !errors.Is(err, errSilent) {
			return read, err
		}
		last := min(to, read+mostByGets)
		read, err = b.readByGets(ctx, read+1, last, yield)
		if err != nil || last == to {
			return read, err
		}
		from = last + 1
	}
}

// readAnew reads with a consumer of its own.
func (b *Broker) readAnew(ctx context.Context, from, to uint64, yield func(Message) error) (read uint64, err error) {
	r, err := b.openReader(ctx, Start{Sequence: from, openPatience: openPatience})
	if err != nil && ctx.Err() == nil && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrTimeout)) {
		err = errSilent
	}
	if err != nil {
		return from - 1, err
	}
	return b.readWith(ctx, r, from, to, scanPatience, yield)
}

var errReadEnough = errors.New("read up to where it was to be")

// readByGets asks the leader for one message after the other.
func (b *Broker) readByGets(ctx context.Context, from, to uint64, yield func(Message) error) (read uint64, err error) {
	read = from - 1
	err = b.Each(ctx, ">", from, func(m Message) error {
		if m.Sequence > to {
			return errReadEnough
		}
		if err := yield(m); err != nil {
			return err
		}
		if read = m.Sequence; read == to {
			return errReadEnough
		}
		return nil
	})
	if errors.Is(err, errReadEnough) {
		err = nil
	}
	return read, err
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
		case errors.Is(err, nats.ErrTimeout) && ctx.Err() == nil:
			if left, err := b.anyLeft(ctx, read+1, to); err != nil || !left {
				return read, err
			}
			if idle++; idle > patience {
				return read, errSilent
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

// anyLeft asks the leader whether a message is left between two sequences, both included, under one of the subjects; none: any.
func (b *Broker) anyLeft(ctx context.Context, from, to uint64, subjects ...string) (bool, error) {
	if len(subjects) == 0 {
		subjects = []string{">"}
	}
	for _, subject := range subjects {
		m, err := b.get(ctx, query{Sequence: from, NextBySubject: subject})
		if errors.Is(err, ErrNone) {
			continue
		}
		if err != nil || m.Sequence <= to {
			return err == nil, err
		}
	}
	return false, nil
}
