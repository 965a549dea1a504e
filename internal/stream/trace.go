package stream

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// ErrNoTrace: NATS does not say where a subject leads.
var ErrNoTrace = errors.New("NATS does not say where it leads")

const tracePatience = time.Second // for the answers of the servers on the route

// Trace asks the servers where they would take what is published to a subject. Nothing is stored or
// delivered: this is the message tracing of NATS, which needs the right to publish to one's own inbox.
//
// It is nil where the stream would store it under that subject. The error is a *MisfitError where it would not,
// ErrNoStream where nobody takes the subject, ErrNoTrace, or one of the connection.
func (b *Broker) Trace(ctx context.Context, subject string) error {
	s, err := b.usable()
	if err != nil {
		return err
	}
	if s.untraceable.Load() {
		return ErrNoTrace
	}
	ctx, stop := context.WithTimeoutCause(ctx, tracePatience, errTraceTimeout)
	defer stop()
	err = b.trace(ctx, s, subject)
	var refused *RefusedError
	if errors.As(err, &refused) || errors.Is(err, errTraceTimeout) {
		s.untraceable.Store(true) // once is enough for a connection
		return ErrNoTrace
	}
	return err
}

var errTraceTimeout = errors.New("no server has reported its route")

// CheckRoute is Trace, and where NATS does not tell, a publish that the stream must refuse: its refusal names the last
// sequence of the subject under which it came there. A subscriber to that subject outside of the stream gets an
// empty message then.
//
// Where nobody takes the subject though the stream can be read, that is a *MisfitError too.
func (b *Broker) CheckRoute(ctx context.Context, subject string) error {
	err := b.checkRoute(ctx, subject)
	for range 2 { // a stream that was just made, or has a new leader, is not known everywhere at once
		if !errors.Is(err, ErrNoStream) || pause(ctx) != nil {
			return err
		}
		if _, err := b.Info(ctx); err != nil {
			return err
		}
		err = b.checkRoute(ctx, subject)
	}
	if errors.Is(err, ErrNoStream) {
		return b.nobodyTakes(subject)
	}
	return err
}

func (b *Broker) checkRoute(ctx context.Context, subject string) error {
	err := b.Trace(ctx, subject)
	if !errors.Is(err, ErrNoTrace) {
		return err
	}
	s, err := b.usable()
	if err != nil {
		return err
	}
	return b.checkByRefusal(ctx, s, subject)
}

func (b *Broker) nobodyTakes(subject string) error {
	return misfit("stream %s can be read, but nobody takes what is published to %s; where jobwatch's NATS account imports "+
		"$JS.API.>, let it import the service %s too; or a mapping of the account (mappings) leads it elsewhere: take it out there",
		b.cfg.Stream, subject, strings.Join(b.cfg.Subjects, " and "))
}

// hop is what one server reports of a traced message (nats-server, msgtrace.go).
type hop struct {
	Hops   int `json:"hops"` // other servers that report
	Events []struct {
		Kind    int    `json:"kind"`
		Type    string `json:"type"`
		Account string `json:"acc"`
		Subject string `json:"subj"`
		To      string `json:"to"`
		Stream  string `json:"stream"`
		Stored  string `json:"subject"`
		Error   string `json:"error"`
	} `json:"events"`
}

func (b *Broker) trace(ctx context.Context, s *session, subject string) error {
	inbox := s.nc.NewInbox()
	ctx, done := s.track(ctx, inbox)
	defer done()
	replies, err := s.nc.SubscribeSync(inbox)
	if err != nil {
		return cause(ctx, err)
	}
	defer func() { _ = replies.Unsubscribe() }()
	header := nats.Header{server.MsgTraceDest: {inbox}, server.MsgTraceOnly: {"true"}}
	if err := s.nc.PublishMsg(&nats.Msg{Subject: subject, Header: header}); err != nil {
		return cause(ctx, err)
	}
	w := route{stream: b.cfg.Stream, subject: subject, answer: ErrNoStream}
	return w.follow(func() (h hop, err error) {
		msg, err := replies.NextMsgWithContext(ctx)
		if err != nil {
			return h, cause(ctx, err)
		}
		if json.Unmarshal(msg.Data, &h) != nil {
			return h, ErrNoTrace
		}
		return h, nil
	})
}

// route is what the servers report of a subject's route to the stream.
type route struct {
	stream, subject, account string
	mapped                   string // what the account's mappings turn the subject into
	denied                   bool   // there is no right to publish to it, or to what it was mapped to
	answer                   error
	begun                    bool // the server that we are connected to has reported
}

// follow takes the servers' reports, until one knows the end or no more are due. The first to report need not be the
// first on the route.
func (w *route) follow(next func() (hop, error)) error {
	for wanted := 1; wanted > 0 || !w.begun; wanted-- {
		h, err := next()
		if err != nil {
			return err
		}
		if w.passes(h) {
			return w.end()
		}
		wanted += h.Hops
	}
	return w.end()
}

// end is the answer when no more reports are due.
func (w *route) end() error {
	if (w.denied || errors.Is(w.answer, ErrNoStream)) && w.mapped != "" && w.mapped != w.subject {
		return elsewhere(w.stream, w.subject, w.mapped, w.account)
	}
	return w.answer
}

// passes takes one server's report; true: the route ends there.
func (w *route) passes(h hop) (end bool) {
	for _, e := range h.Events {
		switch server.MsgTraceType(e.Type) {
		case server.MsgTraceIngressType:
			w.account = cmp.Or(w.account, e.Account)
			w.begun = w.begun || e.Kind == server.CLIENT
			if e.Error != "" { // a right that is missing: where nothing is mapped, the publish says so itself
				w.answer, w.denied = ErrNoTrace, true
			}
		case server.MsgTraceSubjectMappingType:
			w.mapped = e.To
		case server.MsgTraceEgressType:
			if e.Kind != server.CLIENT { // another server, which may not report
				w.answer = ErrNoTrace
			}
		case server.MsgTraceServiceImportType: // what lies behind is not reported, unless that account allows it
			w.answer = ErrNoTrace
			if e.To != w.subject {
				w.answer = elsewhere(w.stream, w.subject, e.To, w.account)
				return true
			}
		case server.MsgTraceJetStreamType:
			return w.stored(e.Stream, e.Stored)
		}
	}
	return w.denied
}

func (w *route) stored(stream, subject string) (end bool) {
	switch {
	case stream != w.stream && errors.Is(w.answer, ErrNoStream):
		w.answer = misfit("stream %s: what is published to %s goes to stream %s; %s", w.stream, w.subject, stream, unmap(w.account))
		return false
	case stream != w.stream:
		return false
	case subject == "":
		w.answer = ErrNoTrace
	case subject != w.subject:
		w.answer = elsewhere(w.stream, w.subject, subject, w.account)
	default:
		w.answer = nil
	}
	return true
}

// elsewhere is the misfit of a subject that NATS maps to another one, which is "" where it is not known.
func elsewhere(stream, subject, stored, account string) error {
	if stored == "" {
		stored = "another subject"
	}
	return misfit("stream %s: what is published to %s goes to %s; %s", stream, subject, stored, unmap(account))
}

func unmap(account string) string {
	if account != "" {
		account = " " + account
	}
	return "a mapping of the NATS account" + account + " (mappings), the `to` of an import or a transform changes it: take it out there"
}

// StoredElsewhere is the misfit of an event that was acknowledged, and is stored under another subject.
func StoredElsewhere(subject, stored string) error {
	return misfit("what is published to %s goes to %s, and is acknowledged; %s", subject, stored, unmap(""))
}

const noSequence = 1 << 62 // of no message

func (b *Broker) checkByRefusal(ctx context.Context, s *session, subject string) error {
	held, err := b.Last(ctx, subject)
	if err != nil && !errors.Is(err, ErrNone) {
		return err
	}
	tracked, done := s.track(ctx, subject)
	defer done()
	_, err = s.js.PublishMsg(tracked, &nats.Msg{Subject: subject}, jetstream.WithExpectStream(b.cfg.Stream),
		jetstream.WithExpectLastSequencePerSubject(noSequence), jetstream.WithRetryAttempts(0))
	err = refusal(b.cfg.Stream, Outgoing{Subject: subject}, cause(tracked, err))
	var sequence *SequenceError
	if !errors.As(err, &sequence) {
		return s.explainNoAnswer(b.cfg.Stream, subject, err)
	}
	if sequence.Last == held.Sequence {
		return nil
	}
	there, err := b.At(ctx, sequence.Last)
	switch {
	case err != nil && !errors.Is(err, ErrNone):
		return fmt.Errorf("%s: %w", subject, err)
	case there.Subject == subject: // came meanwhile
		return nil
	}
	return elsewhere(b.cfg.Stream, subject, there.Subject, "")
}
