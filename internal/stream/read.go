package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Message is a message as the stream holds it.
type Message struct {
	Subject  string
	ID       string // Nats-Msg-Id; empty if it was published without one
	Sequence uint64 // in the stream
	Data     []byte
}

// Info is the state of the stream. Name and Created tell whether it is still the same one.
type Info struct {
	Name     string
	Created  time.Time
	First    uint64 // sequence of the first message; of the next one if there is none
	Last     uint64 // highest sequence ever given, also if that message is gone; 0: none yet
	Messages uint64
	Bytes    uint64
	MaxAge   time.Duration // 0: messages are kept for ever
	Oldest   time.Time     // when the first message was stored; zero: there is none
}

// Info asks for the state of the stream. The error is ErrNoStream if there is none; else as for Last.
func (b *Broker) Info(ctx context.Context) (Info, error) {
	s, err := b.usable()
	if err != nil {
		return Info{}, err
	}
	info, err := s.streamInfo(ctx, b.cfg.Stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return Info{}, ErrNoStream
	}
	if err != nil {
		return Info{}, fmt.Errorf("stream %s: %w", b.cfg.Stream, err)
	}
	return Info{
		Name: info.Config.Name, Created: info.Created,
		First: info.State.FirstSeq, Last: info.State.LastSeq, Messages: info.State.Msgs,
		Bytes: info.State.Bytes, MaxAge: info.Config.MaxAge, Oldest: info.State.FirstTime,
	}, nil
}

// Last reads the last message whose subject filter matches, from the stream's leader: a replica may lag.
// For the filter > alone JetStream looks at its last sequence only, and has no message if that one was deleted.
// The error is ErrNone if there is no such message, ErrNoStream, ErrDisconnected, a *RefusedError for want of the
// right, or what NATS said.
func (b *Broker) Last(ctx context.Context, filter string) (Message, error) {
	return b.get(ctx, query{LastBySubject: filter})
}

// At reads the message of a stream sequence. The errors are those of Last.
func (b *Broker) At(ctx context.Context, sequence uint64) (Message, error) {
	return b.get(ctx, query{Sequence: sequence})
}

// SequenceAt finds where the stream was at a time: what it got then or later has this sequence or a higher one.
func (b *Broker) SequenceAt(ctx context.Context, at time.Time) (uint64, error) {
	info, err := b.Info(ctx)
	if err != nil {
		return 0, err
	}
	low, high := max(info.First, 1), info.Last+1
	for low < high {
		middle := low + (high-low)/2
		m, err := b.getFrom(ctx, b.cfg.Stream, query{Sequence: middle, NextBySubject: ">"})
		switch {
		case errors.Is(err, ErrNone):
			high = middle
		case err != nil:
			return 0, err
		case m.Stored.Before(at):
			low = m.Sequence + 1
		default:
			high = middle
		}
	}
	return low, nil
}

// Each gives yield the messages whose subject filter matches, in order, from a sequence on (0 or 1: all), as the leader
// has them. Each message is a request: it is meant for one job, Scan for the stream. An error of yield ends it and is
// returned; else the errors are those of Last, and no message is none.
func (b *Broker) Each(ctx context.Context, filter string, from uint64, yield func(Message) error) error {
	for {
		m, err := b.get(ctx, query{Sequence: max(from, 1), NextBySubject: filter})
		if errors.Is(err, ErrNone) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := yield(m); err != nil {
			return err
		}
		from = m.Sequence + 1
	}
}

// query asks $JS.API.STREAM.MSG.GET: for the last message of a subject, or the next one from a sequence on.
// Not the direct get of the jetstream package, which any replica may answer.
type query struct {
	Sequence      uint64 `json:"seq,omitempty"`
	LastBySubject string `json:"last_by_subj,omitempty"`
	NextBySubject string `json:"next_by_subj,omitempty"`
}

type answer struct {
	Error   *jetstream.APIError `json:"error"`
	Message *struct {
		Subject  string    `json:"subject"`
		Sequence uint64    `json:"seq"`
		Header   []byte    `json:"hdrs"`
		Data     []byte    `json:"data"`
		Time     time.Time `json:"time"`
	} `json:"message"`
}

func (b *Broker) get(ctx context.Context, q query) (Message, error) {
	r, err := b.getFrom(ctx, b.cfg.Stream, q)
	return Message{Subject: r.Subject, ID: r.ID, Sequence: r.Sequence, Data: r.Data}, err
}

// getFrom reads a message of any stream, with all that the stream knows of it.
func (b *Broker) getFrom(ctx context.Context, stream string, q query) (Record, error) {
	s, err := b.usable()
	if err != nil {
		return Record{}, err
	}
	ask, err := json.Marshal(q)
	if err != nil {
		return Record{}, err
	}
	subject := s.api("STREAM.MSG.GET." + stream)
	ctx, done := s.track(ctx, subject)
	defer done()
	reply, err := s.nc.RequestWithContext(ctx, subject, ask)
	if err != nil {
		return Record{}, fmt.Errorf("read stream %s: %w", stream, cause(ctx, err))
	}
	r, err := readAnswer(reply.Data)
	if err != nil {
		return Record{}, fmt.Errorf("read stream %s: %w", stream, err)
	}
	return r, nil
}

func readAnswer(data []byte) (Record, error) {
	var a answer
	if err := json.Unmarshal(data, &a); err != nil {
		return Record{}, err
	}
	switch {
	case a.Error != nil && uint16(a.Error.ErrorCode) == code(server.JSNoMessageFoundErr):
		return Record{}, ErrNone
	case a.Error != nil && a.Error.ErrorCode == jetstream.JSErrCodeStreamNotFound:
		return Record{}, ErrNoStream
	case a.Error != nil:
		return Record{}, a.Error
	case a.Message == nil:
		return Record{}, errors.New("answer without a message")
	}
	r := Record{Subject: a.Message.Subject, Sequence: a.Message.Sequence, Data: a.Message.Data, Stored: a.Message.Time}
	if len(a.Message.Header) > 0 {
		header, err := nats.DecodeHeadersMsg(a.Message.Header)
		if err != nil {
			return Record{}, fmt.Errorf("message %d: %w", r.Sequence, err)
		}
		r.Header, r.ID = header, header.Get(jetstream.MsgIDHeader)
	}
	return r, nil
}
