package stream

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Reading is how somebody who reads the stream stands: one of its consumers.
type Reading struct {
	Name      string
	Filters   []string // none: all
	Metadata  map[string]string
	Pending   uint64     // messages not delivered yet
	Unsettled int        // delivered, and not acknowledged
	Delivered *time.Time // the last one
	Furthest  uint64     // stream sequence of the furthest message delivered
	Floor     uint64     // every message up to this stream sequence is acknowledged
	Begins    uint64     // stream sequence with which it began; 0: it began with a time
	BeginsAt  time.Time  // that time
	Paused    bool
	Durable   bool // its name stays, whoever reads
}

const readingsMost = 500

// Readings lists who reads the stream, those aside with which watchers do. The errors are those of Last.
func (b *Broker) Readings(ctx context.Context) ([]Reading, error) {
	s, err := b.usable()
	if err != nil {
		return nil, err
	}
	ctx, done := s.track(ctx, s.api("CONSUMER.LIST."+b.cfg.Stream))
	defer done()
	of, err := s.js.Stream(ctx, b.cfg.Stream)
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", b.cfg.Stream, cause(ctx, err))
	}
	list := of.ListConsumers(ctx)
	all := []Reading{}
	for is := range list.Info() {
		if strings.HasPrefix(is.Name, consumerPrefix) || len(all) >= readingsMost { // read on: the list has a goroutine
			continue
		}
		r := Reading{
			Name: is.Name, Filters: filtersOf(is.Config), Metadata: is.Config.Metadata,
			Pending: is.NumPending, Unsettled: is.NumAckPending, Delivered: is.Delivered.Last, Paused: is.Paused, Durable: is.Config.Durable != "",
			Furthest: is.Delivered.Stream, Floor: is.AckFloor.Stream,
		}
		r.Begins, r.BeginsAt = beginOf(is)
		all = append(all, r)
	}
	if err := list.Err(); err != nil {
		return nil, fmt.Errorf("consumers of stream %s: %w", b.cfg.Stream, cause(ctx, err))
	}
	return all, nil
}

// beginOf says where a consumer began: with a sequence, or with what was new at a time.
func beginOf(is *jetstream.ConsumerInfo) (sequence uint64, at time.Time) {
	switch c := is.Config; c.DeliverPolicy {
	case jetstream.DeliverAllPolicy:
		return 1, time.Time{}
	case jetstream.DeliverByStartSequencePolicy:
		return max(c.OptStartSeq, 1), time.Time{}
	case jetstream.DeliverByStartTimePolicy:
		return 0, *cmp.Or(c.OptStartTime, &is.Created)
	default: // with what came later, or the last of each subject
		return 0, is.Created
	}
}
