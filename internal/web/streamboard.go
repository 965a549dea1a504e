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
}

// streamBoard shows what the metrics tell of, too.
type streamBoard struct{ *stream.Board }

// read gives nil where something could not be had.
func (b streamBoard) read(ctx context.Context, broker *stream.Broker) (state *streamState, readers []reader) {
	is, readings := b.Read(ctx, broker)
	if is != nil {
		state = &streamState{is.Name, is.Messages, is.Bytes, is.First, is.Last, is.MaxAge.Seconds()}
	}
	if readings != nil {
		readers = []reader{}
	}
	for _, r := range readings {
		readers = append(readers, readerOf(r))
	}
	return state, readers
}

func readerOf(r stream.Reading) reader {
	kind := "other"
	if r.Metadata[relay.Mark] != "" {
		kind = "relay"
	}
	of := reader{r.Name, strings.Join(r.Filters, ", "), r.Pending, r.Unsettled, r.Paused, nil, kind}
	if r.Delivered != nil {
		of.Delivered = known(*r.Delivered)
	}
	return of
}
