package stream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
)

// newConsumer makes a consumer within the limits that the stream sets. One that is idle for a shorter time than we
// would like is made anew where it is missed.
func (s *session) newConsumer(ctx context.Context, stream string, c jetstream.ConsumerConfig) (jetstream.Consumer, error) {
	s.mu.Lock()
	if most := s.limits.InactiveThreshold; most > 0 {
		c.InactiveThreshold = min(c.InactiveThreshold, most)
	}
	s.mu.Unlock()
	consumer, err := s.js.CreateConsumer(ctx, stream, c)
	if err != nil {
		return nil, cannotRead(stream, err)
	}
	return consumer, nil
}

// mostAtOnce is readAhead, or less where the server limits what is asked for at once.
func mostAtOnce(c jetstream.Consumer) int {
	if most := c.CachedInfo().Config.MaxRequestBatch; most > 0 {
		return min(most, readAhead)
	}
	return readAhead
}

// canRead makes a reader's consumer and removes it: limits of the stream, the account and the server, and rights, may
// keep us from reading.
func (b *Broker) canRead(ctx context.Context, s *session) error {
	flight, land := s.fly(ctx, s.api("CONSUMER.>"))
	defer land()
	consumer, err := s.newConsumer(flight, b.cfg.Stream, jetstream.ConsumerConfig{
		DeliverPolicy:     jetstream.DeliverNewPolicy,
		AckPolicy:         jetstream.AckNonePolicy,
		InactiveThreshold: 5 * time.Second,
		Replicas:          1,
		MemoryStorage:     true,
	})
	if err != nil {
		return grounded(flight, err)
	}
	removing, land := s.fly(ctx, s.api("CONSUMER.DELETE.>"))
	defer land()
	_ = s.js.DeleteConsumer(removing, b.cfg.Stream, consumer.CachedInfo().Name) // else it goes by itself
	return nil
}

// cannotRead is a misfit where a consumer is refused for good. JetStream's passing troubles stay what they are.
func cannotRead(stream string, err error) error {
	var api *jetstream.APIError
	switch {
	case !errors.As(err, &api) || passing(err):
		return err
	case isCode(err, server.JSMaximumConsumersLimitErr):
		return misfit("%s", noConsumerLeft(stream))
	}
	return misfit("stream %s cannot be read: no consumer can be made: %s; mend it in the limits of the stream (consumer_limits), the account or the server",
		stream, api.Description)
}

func noConsumerLeft(stream string) string {
	return fmt.Sprintf("stream %s cannot be read: it has as many consumers as it, the account or the server allows; remove some (nats consumer ls %s), or raise max_consumers: %s",
		stream, stream, edit(stream, "--max-consumers=0"))
}

// unreadable are the reasons why no consumer could be made. It makes none: an update of one that is not there meets the
// same rights and limits, but for the number of consumers, which is counted.
func (s *session) unreadable(ctx context.Context, is *jetstream.StreamInfo) []string {
	name := is.Config.Name
	flight, land := s.fly(ctx, s.api("CONSUMER.>"))
	defer land()
	config := jetstream.ConsumerConfig{Name: "jobwatch-check", AckPolicy: jetstream.AckNonePolicy, Replicas: 1, MemoryStorage: true}
	_, err := s.js.UpdateConsumer(flight, name, config)
	var lines []string
	if err = grounded(flight, err); err != nil && !errors.Is(err, jetstream.ErrConsumerDoesNotExist) {
		lines = append(lines, strings.Split(cannotRead(name, err).Error(), "\n")...)
	}
	if most := s.mostConsumers(ctx, is); most > 0 && is.State.Consumers >= most {
		lines = append(lines, noConsumerLeft(name))
	}
	return lines
}

// mostConsumers of the stream, where the stream or, as far as we may ask it, the account has a limit.
func (s *session) mostConsumers(ctx context.Context, is *jetstream.StreamInfo) int {
	most := is.Config.MaxConsumers
	ctx, land := s.fly(ctx, s.api("INFO"))
	defer land()
	account, err := s.js.AccountInfo(ctx)
	if err != nil {
		return most
	}
	limits := account.Limits
	if tier, tiered := account.Tiers[fmt.Sprintf("R%d", is.Config.Replicas)]; tiered {
		limits = tier.Limits
	}
	if limits.MaxConsumers > 0 && (most <= 0 || limits.MaxConsumers < most) {
		most = limits.MaxConsumers
	}
	return most
}
