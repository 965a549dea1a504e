package relay

import (
	"context"

	"jobwatch/internal/stream"
)

// Scanner reads the stream in one pass. stream.Broker is one.
type Scanner interface {
	Scan(ctx context.Context, from uint64, yield func(stream.Message) error) (last uint64, err error)
}

// EachTaken gives yield the events of the stream, from a sequence on, that a relay of these settings takes.
func EachTaken(ctx context.Context, b Scanner, c Config, from uint64, yield func(*Event) error) error {
	r := &Relay{Config: c}
	_, err := b.Scan(ctx, from, func(m stream.Message) error {
		e := r.eventOf(m)
		if e.ID == "" || !r.takes(e) {
			return nil
		}
		return yield(e)
	})
	return err
}
