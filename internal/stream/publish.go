package stream

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const contentType = "application/cloudevents+json"

// Outgoing is a message and the condition under which it is stored.
type Outgoing struct {
	Subject    string // where it goes
	Filter     string // whose last sequence is expected, as jobs.prod.1248.>; watchers of one job must use the same text
	ID         string // Nats-Msg-Id
	ExpectLast uint64 // sequence of the filter's last message in the stream; 0: there is none
	Data       []byte // the body, application/cloudevents+json
}

// Publish stores the message and returns its sequence in the stream, also where the broker held it already under this
// id. It tries once; a context without a deadline gets 5 s.
//
// The error is a *SequenceError (ErrSequence), ErrBusy, ErrNoStream or a *RefusedError: the message was not stored.
// After any other (ErrDisconnected, a time-out, an error of the cluster) nobody knows whether it was.
func (b *Broker) Publish(ctx context.Context, m Outgoing) (seq uint64, err error) {
	if !carriable(m.Subject) {
		return 0, badSubject(m)
	}
	s, err := b.usable()
	if err != nil {
		return 0, err
	}
	tracked, done := s.track(ctx, m.Subject)
	defer done()
	msg := &nats.Msg{Subject: m.Subject, Data: m.Data, Header: nats.Header{"Content-Type": {contentType}}}
	ack, err := s.js.PublishMsg(tracked, msg,
		jetstream.WithMsgID(m.ID),
		jetstream.WithExpectStream(b.cfg.Stream),
		jetstream.WithExpectLastSequenceForSubject(m.ExpectLast, m.Filter),
		jetstream.WithRetryAttempts(0))
	if errors.Is(err, nats.ErrMaxPayload) && b.payloadRaised(ctx, s) {
		s.nc.Close() // another session knows the new limit
		return 0, ErrDisconnected
	}
	if err != nil {
		return 0, s.explainNoAnswer(b.cfg.Stream, m.Subject, refusal(b.cfg.Stream, m, cause(tracked, err)))
	}
	if ack.Duplicate {
		return ack.Sequence, b.stillThere(ctx, m, ack.Sequence)
	}
	return ack.Sequence, nil
}

// stillThere checks that the stream holds the message whose id the broker remembers: a message that was deleted, or
// stored under another subject, is taken for a duplicate until the window has passed.
func (b *Broker) stillThere(ctx context.Context, m Outgoing, sequence uint64) error {
	held, err := b.At(ctx, sequence)
	if errors.Is(err, ErrNone) || err == nil && (held.ID != m.ID || held.Subject != m.Subject) {
		return ErrBusy
	}
	return err
}

const raisedEvery = 5 * time.Second // at most, a server is asked whether its max_payload was raised

// payloadRaised says whether the server takes larger messages than it said when the session began: a change of
// max_payload is not announced to those who are connected.
func (b *Broker) payloadRaised(ctx context.Context, s *session) bool {
	s.mu.Lock()
	early := time.Since(s.askedPayload) < raisedEvery
	if !early {
		s.askedPayload = time.Now()
	}
	s.mu.Unlock()
	if early {
		return false
	}
	fresh, err := b.dial(ctx, nil)
	if err != nil {
		return false
	}
	defer fresh.nc.Close()
	return fresh.nc.MaxPayload() > s.nc.MaxPayload()
}
