package limiter

import (
	"context"
	"slices"
	"sync"
)

// semaphore lets so many through at once, as a limit says that changes meanwhile. First come, first served.
type semaphore struct {
	mu    sync.Mutex
	limit int             // guarded by mu, as the rest is
	taken int             //
	queue []chan struct{} // of those who wait; closed when they are let through
}

// acquire waits to be let through, which release ends. If ctx ends first, it leaves at once with ctx's error.
func (s *semaphore) acquire(ctx context.Context) error {
	s.mu.Lock()
	if s.taken < s.limit && len(s.queue) == 0 {
		s.taken++
		s.mu.Unlock()
		return nil
	}
	called := make(chan struct{})
	s.queue = append(s.queue, called)
	s.mu.Unlock()
	select {
	case <-called:
		return nil
	case <-ctx.Done():
		s.leave(called)
		return ctx.Err()
	}
}

// leave takes a waiter out of the queue. If it was let through meanwhile, the next one is in its place.
func (s *semaphore) leave(called chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.queue, called); i >= 0 {
		s.queue = slices.Delete(s.queue, i, i+1)
		return
	}
	s.releaseLocked()
}

func (s *semaphore) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.releaseLocked()
}

func (s *semaphore) releaseLocked() {
	s.taken--
	for s.taken < s.limit && len(s.queue) > 0 {
		s.taken++
		close(s.queue[0])
		s.queue = s.queue[1:]
	}
}
