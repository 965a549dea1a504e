package poller

import (
	"context"
	"slices"
	"sync"
	"time"
)

// turns lets so many have a turn at once, as a limit says that changes meanwhile. First come, first served.
type turns struct {
	mu    sync.Mutex
	limit int             // guarded by mu, as the rest is
	taken int             //
	queue []chan struct{} // who waits; closed when a turn is given
}

// wait waits for a turn, which release ends. Without one it leaves with ctx's error, as soon as ctx ends.
func (t *turns) wait(ctx context.Context) error {
	t.mu.Lock()
	if t.taken < t.limit && len(t.queue) == 0 {
		t.taken++
		t.mu.Unlock()
		return nil
	}
	called := make(chan struct{})
	t.queue = append(t.queue, called)
	t.mu.Unlock()
	select {
	case <-called:
		return nil
	case <-ctx.Done():
		t.leave(called)
		return ctx.Err()
	}
}

// leave passes a turn on that was given meanwhile.
func (t *turns) leave(called chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if i := slices.Index(t.queue, called); i >= 0 {
		t.queue = slices.Delete(t.queue, i, i+1)
		return
	}
	t.releaseLocked()
}

func (t *turns) release() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.releaseLocked()
}

func (t *turns) releaseLocked() {
	t.taken--
	t.callLocked()
}

func (t *turns) callLocked() {
	for t.taken < t.limit && len(t.queue) > 0 {
		t.taken++
		close(t.queue[0])
		t.queue = t.queue[1:]
	}
}

// sleepUntil sleeps, or leaves with ctx's error.
func sleepUntil(ctx context.Context, at time.Time) error {
	left := time.Until(at)
	if left <= 0 {
		return nil
	}
	select {
	case <-time.After(left):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
