package stream

import (
	"context"
	"sync"
)

// readers are those of a connection: each is a consumer at the server, which allows a stream only so many.
type readers struct {
	mu      sync.Mutex
	open    map[*reader]bool // guarded by mu, as the rest is
	resting *reader          // has read to the end of the stream, for who reads on from there
	closed  bool
}

// rest keeps a reader for who reads on where it ended, or closes it.
func (s *session) rest(r *reader) {
	if !r.free() {
		r.close()
		return
	}
	s.readers.mu.Lock()
	taken := s.readers.resting != nil || s.readers.closed
	if !taken {
		s.readers.resting = r
	}
	s.readers.mu.Unlock()
	if taken {
		r.close()
	}
}

// rested gives the reader that has read up to a sequence, and no further; nil: there is none.
func (s *session) rested(ctx context.Context, from uint64) *reader {
	s.readers.mu.Lock()
	r := s.readers.resting
	s.readers.resting = nil
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

// opened notes a reader whose consumer is about to be made; false: the connection is about to be closed.
func (s *session) opened(r *reader) bool {
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
	ctx, land := s.fly(ctx, s.api("CONSUMER.DELETE.")+r.stream+"."+r.consumer)
	defer land()
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

// retire ends the reader that rests when its connection is lost: nobody asks for it any more.
func (s *session) retire() {
	s.readers.mu.Lock()
	r := s.readers.resting
	s.readers.closed, s.readers.resting = true, nil
	s.readers.mu.Unlock()
	if r != nil {
		r.close()
	}
}
