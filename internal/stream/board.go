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

	mu       sync.Mutex
	asked    time.Time     // when the last request ended; guarded by mu, as the rest is
	asking   chan struct{} // closed when the request under way ends; nil: none is
	info     *Info         // nil: could not be had
	readings []Reading     // so, too
	without  time.Time     // until then they are not asked for: there is no right to
}

const (
	boardHolds   = 10 * time.Second
	boardStale   = 2 * boardHolds // then what was said is not said again
	boardWithin  = 5 * time.Second
	boardWait    = time.Second // that who looks waits for it at most
	withoutRight = time.Hour
)

// Read gives what NATS said last; nil: it could not be had. It is the caller's to read, and not to change.
func (b *Board) Read(ctx context.Context, broker *Broker) (*Info, []Reading) {
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
		return nil, nil
	}
	return b.info, b.readings
}

// ask does not end with who wants to know: others wait for it, too.
func (b *Board) ask(broker *Broker) {
	ctx, cancel := context.WithTimeout(context.Background(), boardWithin)
	defer cancel()
	var info *Info
	if is, err := broker.Info(ctx); err == nil {
		info = &is
	}
	var readings []Reading
	var refused *RefusedError
	if b.mayAsk() && info != nil {
		var err error
		if readings, err = broker.Readings(ctx); err != nil {
			readings = nil
		}
		errors.As(err, &refused)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if refused != nil {
		b.without = time.Now().Add(withoutRight)
	}
	b.info, b.readings, b.asked = info, readings, time.Now()
	close(b.asking)
	b.asking = nil
}

func (b *Board) mayAsk() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return time.Now().After(b.without)
}
