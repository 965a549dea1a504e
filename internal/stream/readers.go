package stream

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Reading is how somebody who reads the stream stands: one of its consumers.
type Reading struct {
	Name      string
	Filters   []string // none: all
	Metadata  map[string]string
	Pending   uint64     // messages not delivered yet
	Unsettled int        // delivered, and not acknowledged
	Delivered *time.Time // the last one
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
		all = append(all, Reading{
			Name: is.Name, Filters: filtersOf(is.Config), Metadata: is.Config.Metadata,
			Pending: is.NumPending, Unsettled: is.NumAckPending, Delivered: is.Delivered.Last, Paused: is.Paused, Durable: is.Config.Durable != "",
		})
	}
	if err := list.Err(); err != nil {
		return nil, fmt.Errorf("consumers of stream %s: %w", b.cfg.Stream, cause(ctx, err))
	}
	return all, nil
}
