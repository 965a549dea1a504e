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

// newConsumer makes a consumer within the limits that the stream sets. The server may forget an idle one sooner than
// we ask for; it is then made again. Where none can be made, the stream does not fit any more.
func (s *session) newConsumer(ctx context.Context, stream string, c jetstream.ConsumerConfig) (jetstream.Consumer, error) {
	s.mu.Lock()
	if most := s.limits.InactiveThreshold; most > 0 {
		c.InactiveThreshold = min(c.InactiveThreshold, most)
	}
	s.mu.Unlock()
	consumer, err := s.js.CreateConsumer(ctx, stream, c)
	if err == nil {
		return consumer, nil
	}
	if isCode(err, server.JSMaximumConsumersLimitErr) && s.othersRead(ctx, stream) {
		return nil, fmt.Errorf("stream %s cannot be read yet: max_consumers is reached, also by consumers of another jobwatch; "+
			"those of one that was killed go within %v; else raise it: %s", stream, forgetReader, edit(stream, "--max-consumers=0"))
	}
	if isCode(err, server.JSMaximumConsumersLimitErr) && s.openReaders() > consumersNeeded { // one more than is needed
		return nil, fmt.Errorf("stream %s is read by as many as max_consumers allows; try again when one has ended, or raise it: %s",
			stream, edit(stream, "--max-consumers=0"))
	}
	err = cannotRead(stream, err)
	if misfit := (*MisfitError)(nil); errors.As(err, &misfit) {
		s.refute(err)
	}
	return nil, err
}

// mostAtOnce is readAhead, or less where the server limits what is asked for at once.
func mostAtOnce(c jetstream.Consumer) int {
	if most := c.CachedInfo().Config.MaxRequestBatch; most > 0 {
		return min(most, readAhead)
	}
	return readAhead
}

// consumersNeeded are the publisher's two, with which it reads and follows the tail, and that of the page. Whoever
// reads back further than the page remembers takes one more while it does.
const consumersNeeded = 3

// tryConsumers makes the consumers that are needed, and removes them: limits of the stream, the account and the server, and
// rights, may keep us from reading. With fewer, our readers would take them from each other.
func (b *Broker) tryConsumers(ctx context.Context, s *session) error {
	for range consumersNeeded {
		remove, err := b.tryConsumer(ctx, s)
		if err != nil {
			return err
		}
		defer remove()
	}
	return nil
}

func (b *Broker) tryConsumer(ctx context.Context, s *session) (remove func(), err error) {
	tracked, done := s.track(ctx, s.api("CONSUMER.>"))
	defer done()
	consumer, err := s.newConsumer(tracked, b.cfg.Stream, jetstream.ConsumerConfig{
		DeliverPolicy:     jetstream.DeliverNewPolicy,
		AckPolicy:         jetstream.AckNonePolicy,
		InactiveThreshold: 5 * time.Second,
		Replicas:          1,
		MemoryStorage:     true,
	})
	if err != nil {
		return nil, cause(tracked, err)
	}
	return func() {
		removing, done := s.track(ctx, s.api("CONSUMER.DELETE.>"))
		defer done()
		_ = s.js.DeleteConsumer(removing, b.cfg.Stream, consumer.CachedInfo().Name) // else it goes by itself
	}, nil
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
	return fmt.Sprintf("stream %s cannot be read: the watcher needs %d consumers, and the limit of the stream, the account or the server leaves fewer; remove some (nats consumer ls %s), or raise max_consumers: %s",
		stream, consumersNeeded, stream, edit(stream, "--max-consumers=0"))
}

// whyUnreadable gives the reasons why no consumer could be made. It makes none: an update of one that is not there meets the
// same rights and limits, but for the number of consumers, which is counted.
func (s *session) whyUnreadable(ctx context.Context, is *jetstream.StreamInfo) []string {
	name := is.Config.Name
	tracked, done := s.track(ctx, s.api("CONSUMER.>"))
	defer done()
	config := jetstream.ConsumerConfig{Name: "jobwatch-check", AckPolicy: jetstream.AckNonePolicy, Replicas: 1, MemoryStorage: true}
	_, err := s.js.UpdateConsumer(tracked, name, config)
	var lines []string
	if err = cause(tracked, err); err != nil && !errors.Is(err, jetstream.ErrConsumerDoesNotExist) {
		lines = append(lines, strings.Split(cannotRead(name, err).Error(), "\n")...)
	}
	if most := s.mostConsumers(ctx, is); most > 0 && most-s.othersConsumers(ctx, is) < consumersNeeded {
		lines = append(lines, noConsumerLeft(name))
	}
	return lines
}

// mostConsumers of the stream, where the stream or, as far as we may ask it, the account has a limit.
func (s *session) mostConsumers(ctx context.Context, is *jetstream.StreamInfo) int {
	most := is.Config.MaxConsumers
	ctx, done := s.track(ctx, s.api("INFO"))
	defer done()
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

// consumerPrefix begins the name of each consumer that reads for us.
const consumerPrefix = "jobwatch-"

// othersConsumers counts those that are no running watcher's; all, where their names may not be asked for.
func (s *session) othersConsumers(ctx context.Context, is *jetstream.StreamInfo) int {
	ctx, done := s.track(ctx, s.api("CONSUMER.NAMES."+is.Config.Name))
	defer done()
	_, others, err := s.consumers(ctx, is.Config.Name)
	if err != nil {
		return is.State.Consumers
	}
	return others
}

// othersRead says whether a consumer of ours is another connection's. Of a watcher that was killed, or cut off, the
// server still has some when it comes back.
func (s *session) othersRead(ctx context.Context, stream string) bool {
	ours, _, err := s.consumers(ctx, stream)
	return err == nil && ours > s.openReaders()
}

// openReaders counts those of this connection, the one that is about to be opened included.
func (s *session) openReaders() int {
	s.readers.mu.Lock()
	defer s.readers.mu.Unlock()
	return len(s.readers.open)
}

func (s *session) consumers(ctx context.Context, stream string) (ours, others int, err error) {
	st, err := s.js.Stream(ctx, stream)
	if err != nil {
		return 0, 0, err
	}
	names := st.ConsumerNames(ctx)
	for name := range names.Name() {
		if strings.HasPrefix(name, consumerPrefix) {
			ours++
		} else {
			others++
		}
	}
	return ours, others, names.Err()
}
