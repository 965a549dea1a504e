package web

import (
	"context"
	"strings"
	"time"

	"jobwatch/internal/relay"
	"jobwatch/internal/stream"
)

// streamState is the stream as NATS told last.
type streamState struct {
	Name     string  `json:"name"`
	Messages uint64  `json:"messages"`
	Bytes    uint64  `json:"bytes"`
	First    uint64  `json:"first"`
	Last     uint64  `json:"last"`
	MaxAge   float64 `json:"maxAge"` // seconds; 0: for ever
}

// reader is a consumer of the stream.
type reader struct {
	Name       string     `json:"name"`
	Filter     string     `json:"filter"` // subjects, with ", " between; "": all
	Pending    uint64     `json:"pending"`
	AckPending int        `json:"ackPending"`
	Paused     bool       `json:"paused"`
	Delivered  *time.Time `json:"lastDelivered"`
	Kind       string     `json:"kind"` // relay, other

	Furthest uint64     `json:"delivered"` // stream sequence of the furthest message delivered
	Floor    uint64     `json:"ackFloor"`  // every message up to this stream sequence that it asked for is acknowledged
	Begins   *uint64    `json:"begins"`    // stream sequence with which it began; null: it began with a time
	BeginsAt *time.Time `json:"beginsAt"`  // that time; null: it began with a sequence
}

// streamBoard shows what the metrics tell of, too.
type streamBoard struct{ *stream.Board }

// streamSaid is what NATS said; of what could not be had nil.
type streamSaid struct {
	stream    *streamState
	readers   []reader
	roundTrip *float64 // ms
}

func (b streamBoard) read(ctx context.Context, broker *stream.Broker) (said streamSaid) {
	is := b.Read(ctx, broker)
	if is.RoundTrip != nil {
		said.roundTrip = new(float64(is.RoundTrip.Microseconds()) / 1000)
	}
	if s := is.Info; s != nil {
		said.stream = &streamState{s.Name, s.Messages, s.Bytes, s.First, s.Last, s.MaxAge.Seconds()}
	}
	if is.Readings != nil {
		said.readers = []reader{}
	}
	for _, r := range is.Readings {
		said.readers = append(said.readers, readerOf(r))
	}
	return said
}

func readerOf(r stream.Reading) reader {
	kind := "other"
	if r.Metadata[relay.Mark] != "" {
		kind = "relay"
	}
	of := reader{
		Name: r.Name, Filter: strings.Join(r.Filters, ", "), Pending: r.Pending, AckPending: r.Unsettled, Paused: r.Paused, Kind: kind,
		Furthest: r.Furthest, Floor: r.Floor, BeginsAt: known(r.BeginsAt),
	}
	if r.Delivered != nil {
		of.Delivered = known(*r.Delivered)
	}
	if r.Begins != 0 {
		of.Begins = &r.Begins
	}
	return of
}
