package stream

import "context"

// Follow gives yield every message of the stream from a sequence on (0 or 1: all), those to come included. It ends
// with an error of yield, with ctx's, or with that of a lost connection.
func (b *Broker) Follow(ctx context.Context, from uint64, yield func(Message) error) error {
	r, err := b.openReader(ctx, max(from, 1))
	if err != nil {
		return err
	}
	defer r.close()
	for {
		m, err := r.next()
		if err != nil {
			return err
		}
		if err := yield(m); err != nil {
			return err
		}
	}
}
