package web

import (
	"context"
	"errors"
	"strings"
	"sync"
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

// streamBoard asks NATS about the stream seldom, however many look.
type streamBoard struct {
	mu      sync.Mutex
	asked   time.Time     // when the last request ended; guarded by mu, as the rest is
	asking  chan struct{} // closed when the request under way ends; nil: none is
	said    streamSaid
	without time.Time // until then the readers are not asked for: there is no right to
}

// streamSaid is what NATS said; of what could not be had nil.
type streamSaid struct {
	stream    *streamState
	readers   []reader
	roundTrip *float64 // ms
}

const (
	streamHolds  = 10 * time.Second
	streamWithin = 5 * time.Second
	streamWait   = time.Second // that a status waits for it at most
	withoutRight = time.Hour
)

func (b *streamBoard) read(ctx context.Context, broker *stream.Broker) streamSaid {
	b.mu.Lock()
	if b.asking == nil && time.Since(b.asked) >= streamHolds {
		b.asking = make(chan struct{})
		go b.ask(broker)
	}
	asking := b.asking
	b.mu.Unlock()
	if asking != nil {
		wait := time.NewTimer(streamWait)
		defer wait.Stop()
		select {
		case <-asking:
		case <-wait.C:
		case <-ctx.Done():
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if time.Since(b.asked) >= 2*streamHolds {
		return streamSaid{}
	}
	return b.said
}

// ask does not end with who wants to know: others wait for it, too.
func (b *streamBoard) ask(broker *stream.Broker) {
	ctx, cancel := context.WithTimeout(context.Background(), streamWithin)
	defer cancel()
	var said streamSaid
	if took, err := broker.RoundTrip(ctx); err == nil {
		said.roundTrip = new(float64(took.Microseconds()) / 1000)
	}
	if is, err := broker.Info(ctx); err == nil {
		said.stream = &streamState{is.Name, is.Messages, is.Bytes, is.First, is.Last, is.MaxAge.Seconds()}
	}
	var refused *stream.RefusedError
	if b.mayAsk() && said.stream != nil {
		readings, err := broker.Readings(ctx)
		errors.As(err, &refused)
		if err == nil {
			said.readers = []reader{}
		}
		for _, r := range readings {
			said.readers = append(said.readers, readerOf(r))
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if refused != nil {
		b.without = time.Now().Add(withoutRight)
	}
	b.said, b.asked = said, time.Now()
	close(b.asking)
	b.asking = nil
}

func (b *streamBoard) mayAsk() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return time.Now().After(b.without)
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
