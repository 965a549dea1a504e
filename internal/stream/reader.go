package stream

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	readAhead = 500 // messages fetched before they are asked for; at 64 KiB each, 32 MiB

	// forgetReader is after what time the server forgets a reader that did not say goodbye. One that has read to the
	// end of the stream is used again a minute later.
	forgetReader = 90 * time.Second

	removePatience = time.Second // with the removal of a consumer
)

// reader reads the stream on from a sequence, through a consumer that acknowledges nothing. It ends with its
// connection; close removes the consumer, and the server forgets one that was not removed.
type reader struct {
	session    *session
	stream     string
	consumer   string
	msgs       jetstream.MessagesContext
	due        uint64   // messages that there were to read when it began
	delivered  uint64   // messages so far; a gap in the consumer's own count is a message lost on the way
	read       uint64   // sequence of the last one given
	pushedBack *Message // given by next once more

	ctx     context.Context // of the present caller; its end stops the reader
	release func() bool     // detaches from ctx; false if it has ended
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
	r.release()
	r.bind(ctx)
	return r, nil
}

// bind makes the reader end with ctx, or with its connection.
func (r *reader) bind(ctx context.Context) {
	ctx, done := r.session.trackLong(ctx, r.session.api("CONSUMER.>"))
	stop := func() bool { return ctx.Err() == nil }
	if r.msgs != nil {
		stop = context.AfterFunc(ctx, r.msgs.Stop)
	}
	r.ctx, r.release = ctx, func() bool {
		defer done()
		return stop()
	}
}

func (r *reader) open(start Start) error {
	ctx, cancel := context.WithTimeout(r.ctx, cmp.Or(start.openPatience, requestTimeout))
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
	if !r.session.register(r) {
		return ErrDisconnected
	}
	consumer, err := r.session.newConsumer(ctx, r.stream, config)
	if err == nil {
		r.due = consumer.CachedInfo().NumPending
		r.msgs, err = consumer.Messages(jetstream.PullMaxMessages(mostAtOnce(consumer)))
	}
	return err
}

func (r *reader) explain(err error) error {
	return fmt.Errorf("read stream %s: %w", r.stream, cause(r.ctx, err))
}

// close ends the reader and removes its consumer, also where the caller's context has ended.
func (r *reader) close() {
	r.release()
	if r.msgs != nil {
		r.msgs.Stop()
	}
	ctx, cancel := context.WithTimeout(context.Background(), removePatience)
	defer cancel()
	r.session.remove(ctx, r)
}

// next waits for the next message. With a longest wait, its error is nats.ErrTimeout after that.
func (r *reader) next(wait ...jetstream.NextOpt) (Message, error) {
	if m := r.pushedBack; m != nil {
		r.pushedBack, r.read = nil, m.Sequence
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

// unread makes next give a message once more.
func (r *reader) unread(m Message) { r.pushedBack, r.read = &m, m.Sequence-1 }

// readers are those of a connection: each is a consumer at the server, which allows a stream only so many.
type readers struct {
	mu     sync.Mutex
	open   map[*reader]bool // guarded by mu, as the rest is
	idle   *reader          // has read to the end of the stream; the next to read on from there takes it
	closed bool
}

// keepIdle keeps a reader for the next who reads on where it ended, or closes it.
func (s *session) keepIdle(r *reader) {
	if !r.release() {
		r.close()
		return
	}
	s.readers.mu.Lock()
	taken := s.readers.idle != nil || s.readers.closed
	if !taken {
		s.readers.idle = r
	}
	s.readers.mu.Unlock()
	if taken {
		r.close()
	}
}

// takeIdle gives the reader that has read up to a sequence, and no further; nil: there is none.
func (s *session) takeIdle(ctx context.Context, from uint64) *reader {
	s.readers.mu.Lock()
	r := s.readers.idle
	s.readers.idle = nil
	s.readers.mu.Unlock()
	if r == nil {
		return nil
	}
	r.bind(ctx)
	if r.read >= from {
		r.close()
		return nil
	}
	return r
}

// register notes a reader whose consumer is about to be made; false: the connection is about to be closed.
func (s *session) register(r *reader) bool {
	s.readers.mu.Lock()
	defer s.readers.mu.Unlock()
	if s.readers.closed {
		return false
	}
	if s.readers.open == nil {
		s.readers.open = map[*reader]bool{}
	}
	s.readers.open[r] = true
	return true
}

// remove removes a reader's consumer, as long as there is a connection, and a right to.
func (s *session) remove(ctx context.Context, r *reader) {
	s.readers.mu.Lock()
	open := s.readers.open[r]
	s.readers.mu.Unlock()
	defer func() {
		s.readers.mu.Lock()
		defer s.readers.mu.Unlock()
		delete(s.readers.open, r) // only now: removeAll waits for those that are being removed
	}()
	if !open || s.isLost() {
		return
	}
	ctx, done := s.track(ctx, s.api("CONSUMER.DELETE.")+r.stream+"."+r.consumer)
	defer done()
	_ = s.js.DeleteConsumer(ctx, r.stream, r.consumer) // the server forgets it anyway, a little later
}

// removeAll removes the consumers of a connection that is about to be closed.
func (s *session) removeAll() {
	ctx, cancel := context.WithTimeout(context.Background(), removePatience)
	defer cancel()
	s.readers.mu.Lock()
	var open []*reader
	for r := range s.readers.open {
		open = append(open, r)
	}
	s.readers.closed = true
	s.readers.mu.Unlock()
	var group sync.WaitGroup
	for _, r := range open {
		group.Go(func() { s.remove(ctx, r) })
	}
	group.Wait()
}

// closeIdle closes the idle reader when its connection is lost.
func (s *session) closeIdle() {
	s.readers.mu.Lock()
	r := s.readers.idle
	s.readers.closed, s.readers.idle = true, nil
	s.readers.mu.Unlock()
	if r != nil {
		r.close()
	}
}
