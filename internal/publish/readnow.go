package publish

import (
	"context"
	"errors"
	"sync"
	"time"

	"jobwatch/internal/stream"
)

// ReadNow has the stream read on at once, and returns when a reading that began after the call has ended well, or with
// ctx's error: what others have told until now is known then. The round that runs ends for it, since a reading is made
// while nothing is in flight.
func (p *Publisher) ReadNow(ctx context.Context) error {
	read := p.wanted.ask()
	select {
	case <-read:
		return nil
	case <-ctx.Done():
		p.wanted.giveUp(read)
		return ctx.Err()
	}
}

// wantedReadings are those that somebody waits for.
type wantedReadings struct {
	wake chan struct{} // holds a token when one was asked for since the last began

	mu      sync.Mutex
	waiting map[chan struct{}]bool // closed when a reading has ended well; true: it has begun; guarded by mu
}

func newWantedReadings() wantedReadings {
	return wantedReadings{wake: make(chan struct{}, 1), waiting: map[chan struct{}]bool{}}
}

func (w *wantedReadings) ask() chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	read := make(chan struct{})
	w.waiting[read] = false
	select {
	case w.wake <- struct{}{}:
	default:
	}
	return read
}

func (w *wantedReadings) giveUp(read chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.waiting, read)
}

// begin is called when a reading begins. It serves all who have asked by now.
func (w *wantedReadings) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case <-w.wake:
	default:
	}
	for read := range w.waiting {
		w.waiting[read] = true
	}
}

// end is called when the reading has ended well.
func (w *wantedReadings) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for read, begun := range w.waiting {
		if begun {
			close(read)
			delete(w.waiting, read)
		}
	}
}

// any says whether somebody waits.
func (w *wantedReadings) any() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.waiting) > 0
}

const (
	fewMessages   = 100         // a reading that somebody waits for asks the leader for each of so many
	hurriedRepeat = time.Second // after which a reading that somebody waits for is tried again, at the latest
)

// scan reads the stream on to its end. Few messages that somebody waits for are read from the leader: a consumer may sit
// on a server that has just died, and a watcher that reads along has seldom more to read.
func (p *Publisher) scan(ctx context.Context, info stream.Info, from uint64, yield func(stream.Message) error) (last uint64, err error) {
	if info.Last >= from+fewMessages || !p.wanted.any() {
		return p.Broker.Scan(ctx, from, yield)
	}
	err = p.Broker.Each(ctx, ">", from, func(m stream.Message) error {
		if m.Sequence > info.Last {
			return errReadEnough
		}
		return yield(m)
	})
	if errors.Is(err, errReadEnough) {
		err = nil
	}
	return info.Last, err
}

var errReadEnough = errors.New("read up to where the stream ended")

// pauseOrRead waits before the stream is read again; not long where somebody waits for that.
func (p *Publisher) pauseOrRead(ctx context.Context, d time.Duration) {
	if p.wanted.any() {
		pause(ctx, min(d, hurriedRepeat))
		return
	}
	select {
	case <-time.After(d):
	case <-p.wanted.wake:
	case <-ctx.Done():
	}
}
