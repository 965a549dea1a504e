package stream

import (
	"context"
	"sync"
)

// readers are those of a connection: each is a consumer at the server, which allows a stream only so many.
type readers struct {
	mu     sync.Mutex
	open   map[*reader]bool // guarded by mu, as the rest is
	idle   *reader          // has read to the end of the stream; the next to read on from there takes it
	closed bool
}

// keepIdle keeps a reader for the next who reads on where it ended, or closes it.
func (s *session) keepIdle(r *reader) {
	if !r.release() {
		r.close()
		return
	}
	s.readers.mu.Lock()
	taken := s.readers.idle != nil || s.readers.closed
	if !taken {
		s.readers.idle = r
	}
	s.readers.mu.Unlock()
	if taken {
		r.close()
	}
}

// takeIdle gives the reader that has read up to a sequence, and no further; nil: there is none.
func (s *session) takeIdle(ctx context.Context, from uint64) *reader {
	s.readers.mu.Lock()
	r := s.readers.idle
	s.readers.idle = nil
	s.readers.mu.Unlock()
	if r == nil {
		return nil
	}
	r.bind(ctx)
	if r.read >= from {
		r.close()
		return nil
	}
	return r
}

// register notes a reader whose consumer is about to be made; false: the connection is about to be closed.
func (s *session) register(r *reader) bool {
	s.readers.mu.Lock()
	defer s.readers.mu.Unlock()
	if s.readers.closed {
		return false
	}
	if s.readers.open == nil {
		s.readers.open = map[*reader]bool{}
	}
	s.readers.open[r] = true
	return true
}

// remove removes a reader's consumer, as long as there is a connection, and a right to.
func (s *session) remove(ctx context.Context, r *reader) {
	s.readers.mu.Lock()
	open := s.readers.open[r]
	s.readers.mu.Unlock()
	defer func() {
		s.readers.mu.Lock()
		defer s.readers.mu.Unlock()
		delete(s.readers.open, r) // only now: removeAll waits for those that are being removed
	}()
	if !open || s.isLost() {
		return
	}
	ctx, done := s.track(ctx, s.api("CONSUMER.DELETE.")+r.stream+"."+r.consumer)
	defer done()
	_ = s.js.DeleteConsumer(ctx, r.stream, r.consumer) // the server forgets it anyway, a little later
}

// removeAll removes the consumers of a connection that is about to be closed.
func (s *session) removeAll() {
	ctx, cancel := context.WithTimeout(context.Background(), removePatience)
	defer cancel()
	s.readers.mu.Lock()
	var open []*reader
	for r := range s.readers.open {
		open = append(open, r)
	}
	s.readers.closed = true
	s.readers.mu.Unlock()
	var group sync.WaitGroup
	for _, r := range open {
		group.Go(func() { s.remove(ctx, r) })
	}
	group.Wait()
}

// closeIdle closes the idle reader when its connection is lost.
func (s *session) closeIdle() {
	s.readers.mu.Lock()
	r := s.readers.idle
	s.readers.closed, s.readers.idle = true, nil
	s.readers.mu.Unlock()
	if r != nil {
		r.close()
	}
}
