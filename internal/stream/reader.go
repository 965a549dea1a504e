package stream

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	readAhead = 500 // messages fetched before they are asked for; at 64 KiB each, 32 MiB

	// forgetReader is after what time the server forgets a reader whose end it did not hear of: one that has read to the
	// end of the stream is used again a minute later.
	forgetReader = 90 * time.Second

	removePatience = time.Second // with the removal of a consumer
)

// reader reads the stream on from a sequence, through a consumer that acknowledges nothing. It ends with its
// connection; close removes the consumer, and the server forgets one that was not removed.
type reader struct {
	session   *session
	stream    string
	consumer  string
	msgs      jetstream.MessagesContext
	delivered uint64   // messages so far; a gap in the consumer's own count is a message lost on the way
	read      uint64   // sequence of the last one given
	ahead     *Message // was given back

	ctx  context.Context // of who reads now; its end stops the reader
	free func() bool     // lets go of ctx; false if it has ended
}

func (b *Broker) openReader(ctx context.Context, start Start) (*reader, error) {
	s, err := b.usable()
	if err != nil {
		return nil, err
	}
	r := &reader{session: s, stream: b.cfg.Stream, consumer: consumerPrefix + rand.Text()}
	r.read = max(start.Sequence, 1) - 1
	r.bind(ctx)
	if err := r.open(start); err != nil {
		defer r.close()
		return nil, r.explain(err)
	}
	r.free()
	r.bind(ctx)
	return r, nil
}

// bind has the reader end with ctx, or with its connection.
func (r *reader) bind(ctx context.Context) {
	ctx, land := r.session.watch(ctx, r.session.api("CONSUMER.>"))
	stop := func() bool { return ctx.Err() == nil }
	if r.msgs != nil {
		stop = context.AfterFunc(ctx, r.msgs.Stop)
	}
	r.ctx, r.free = ctx, func() bool {
		defer land()
		return stop()
	}
}

func (r *reader) open(start Start) error {
	ctx, cancel := context.WithTimeout(r.ctx, requestTimeout)
	defer cancel()
	config := jetstream.ConsumerConfig{
		Name:              r.consumer,
		DeliverPolicy:     jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:       r.read + 1,
		FilterSubjects:    start.Subjects,
		HeadersOnly:       start.headersOnly,
		AckPolicy:         jetstream.AckNonePolicy,
		InactiveThreshold: forgetReader,
		Replicas:          1,
		MemoryStorage:     true,
	}
	if !start.Since.IsZero() {
		config.DeliverPolicy, config.OptStartSeq, config.OptStartTime = jetstream.DeliverByStartTimePolicy, 0, &start.Since
	}
	if !r.session.opened(r) {
		return ErrDisconnected
	}
	consumer, err := r.session.newConsumer(ctx, r.stream, config)
	if err == nil {
		r.msgs, err = consumer.Messages(jetstream.PullMaxMessages(mostAtOnce(consumer)))
	}
	return err
}

func (r *reader) explain(err error) error {
	return fmt.Errorf("read stream %s: %w", r.stream, grounded(r.ctx, err))
}

// close ends the reader and removes its consumer, also where the context of who reads has ended.
func (r *reader) close() {
	r.free()
	if r.msgs != nil {
		r.msgs.Stop()
	}
	ctx, cancel := context.WithTimeout(context.Background(), removePatience)
	defer cancel()
	r.session.remove(ctx, r)
}

// next waits for the next message. With a longest wait, its error is nats.ErrTimeout after that.
func (r *reader) next(wait ...jetstream.NextOpt) (Message, error) {
	if m := r.ahead; m != nil {
		r.ahead, r.read = nil, m.Sequence
		return *m, nil
	}
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
	r.read = meta.Sequence.Stream
	return Message{
		Subject:  msg.Subject(),
		ID:       msg.Headers().Get(jetstream.MsgIDHeader),
		Sequence: meta.Sequence.Stream,
		Data:     msg.Data(),
	}, nil
}

// giveBack has next give a message once more.
func (r *reader) giveBack(m Message) { r.ahead, r.read = &m, m.Sequence-1 }
