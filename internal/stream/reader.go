package stream

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const readAhead = 500 // messages fetched before they are asked for; at 64 KiB each, 32 MiB

// reader reads the stream on from a sequence, through a consumer that acknowledges nothing and that the server forgets
// soon after us. It ends with its connection.
type reader struct {
	msgs      jetstream.MessagesContext
	explain   func(error) error // says what an error means
	close     func()
	delivered uint64 // messages so far; a gap in the consumer's own count is a message lost on the way
}

func (b *Broker) openReader(ctx context.Context, start Start) (*reader, error) {
	s, err := b.usable()
	if err != nil {
		return nil, err
	}
	ctx, land := s.watch(ctx, s.api("CONSUMER.>"))
	explain := func(err error) error { return fmt.Errorf("read stream %s: %w", b.cfg.Stream, grounded(ctx, err)) }
	msgs, err := s.consume(ctx, b.cfg.Stream, start)
	if err != nil {
		defer land()
		return nil, explain(err)
	}
	stop := context.AfterFunc(ctx, msgs.Stop)
	return &reader{msgs: msgs, explain: explain, close: func() { stop(); msgs.Stop(); land() }}, nil
}

func (s *session) consume(ctx context.Context, stream string, start Start) (jetstream.MessagesContext, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	config := jetstream.ConsumerConfig{
		DeliverPolicy:     jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:       max(start.Sequence, 1),
		FilterSubjects:    start.Subjects,
		HeadersOnly:       start.headsOnly,
		AckPolicy:         jetstream.AckNonePolicy,
		InactiveThreshold: 30 * time.Second,
		Replicas:          1,
		MemoryStorage:     true,
	}
	if !start.Since.IsZero() {
		config.DeliverPolicy, config.OptStartSeq, config.OptStartTime = jetstream.DeliverByStartTimePolicy, 0, &start.Since
	}
	consumer, err := s.newConsumer(ctx, stream, config)
	if err != nil {
		return nil, err
	}
	return consumer.Messages(jetstream.PullMaxMessages(mostAtOnce(consumer)))
}

// next waits for the next message. With a longest wait, its error is nats.ErrTimeout after that.
func (r *reader) next(wait ...jetstream.NextOpt) (Message, error) {
	msg, err := r.msgs.Next(wait...)
	if err != nil {
		return Message{}, r.explain(err)
	}
	meta, err := msg.Metadata()
	if err != nil {
		return Message{}, r.explain(err)
	}
	r.delivered++
	if meta.Sequence.Consumer != r.delivered {
		return Message{}, r.explain(fmt.Errorf("message %d came before one that is missing", meta.Sequence.Stream))
	}
	return Message{
		Subject:  msg.Subject(),
		ID:       msg.Headers().Get(jetstream.MsgIDHeader),
		Sequence: meta.Sequence.Stream,
		Data:     msg.Data(),
	}, nil
}
