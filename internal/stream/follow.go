package stream

import (
	"context"
	"time"
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
		if r := s.rested(ctx, start.Sequence); r != nil {
			return r, nil
		}
	}
	return b.openReader(ctx, start)
}
