package stream

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"
)

// Board asks NATS about the stream, and who reads it, seldom, however many look. The zero Board is ready.
type Board struct {
	Holds time.Duration // how often it asks at most; default 10 s. Set it before the first use

	mu      sync.Mutex
	asked   time.Time     // when the last request ended; guarded by mu, as the rest is
	asking  chan struct{} // closed when the request under way ends; nil: none is
	said    Said
	without time.Time // until then the readers are not asked for: there is no right to
}

// Said is what NATS said; of what could not be had nil.
type Said struct {
	Info      *Info
	Readings  []Reading
	RoundTrip *time.Duration
}

const (
	boardHolds   = 10 * time.Second
	boardStale   = 2 * boardHolds // then what was said is not said again
	boardWithin  = 5 * time.Second
	boardWait    = time.Second // that who looks waits for it at most
	withoutRight = time.Hour
)

// Read gives what NATS said last. It is the caller's to read, and not to change.
func (b *Board) Read(ctx context.Context, broker *Broker) Said {
	b.mu.Lock()
	if b.asking == nil && time.Since(b.asked) >= cmp.Or(b.Holds, boardHolds) {
		b.asking = make(chan struct{})
		go b.ask(broker)
	}
	asking := b.asking
	b.mu.Unlock()
	if asking != nil {
		wait := time.NewTimer(boardWait)
		defer wait.Stop()
		select {
		case <-asking:
		case <-wait.C:
		case <-ctx.Done():
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if time.Since(b.asked) >= boardStale {
		return Said{}
	}
	return b.said
}

// ask does not end with who wants to know: others wait for it, too.
func (b *Board) ask(broker *Broker) {
	ctx, cancel := context.WithTimeout(context.Background(), boardWithin)
	defer cancel()
	var said Said
	if took, err := broker.RoundTrip(ctx); err == nil {
		said.RoundTrip = &took
	}
	if is, err := broker.Info(ctx); err == nil {
		said.Info = &is
	}
	var refused *RefusedError
	if b.mayAsk() && said.Info != nil {
		readings, err := broker.Readings(ctx)
		if err == nil {
			said.Readings = readings
		}
		errors.As(err, &refused)
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

func (b *Board) mayAsk() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return time.Now().After(b.without)
}
