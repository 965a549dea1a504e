package publish

import (
	"context"
	"errors"
	"sync"

	"jobwatch/internal/stream"
)

// positions are where the last events stand that the broker has acknowledged, or that were found there. A stream that gives a
// place a second time has gone back, and the connection may have lasted: only this tells, once something else stands there.
type positions struct {
	mu     sync.Mutex
	recent [1 << 10]position // by sequence; guarded by mu
	last   uint64            // highest sequence; guarded by mu
}

type position struct {
	sequence uint64
	id       string
}

func (p *positions) highest() position {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.recent[p.last%uint64(len(p.recent))]
}

// note notes a place; false if another event is known to stand there, which then goes on standing there.
func (p *positions) note(s position) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := &p.recent[s.sequence%uint64(len(p.recent))]
	switch {
	case before.sequence > s.sequence:
		return true // of that long ago nothing is known
	case before.sequence == s.sequence && before.id != s.id:
		return false
	}
	*before = s
	p.last = max(p.last, s.sequence)
	return true
}

// clear forgets all places, once it is sure that the whole stream will be read.
func (p *positions) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.recent, p.last = [1 << 10]position{}, 0
}

// noteEnd notes what stands at the end of what was read, as if it had been acknowledged: a stream that goes back from now
// on gives that place again. Its error says that it has gone back already.
func (p *Publisher) noteEnd(ctx context.Context, r *reading, last uint64) error {
	if r.last != nil { // all of it was read
		p.positions.clear()
	}
	if r.end.sequence == 0 && p.positions.highest().sequence < last { // a start that has read nothing new
		m, err := p.Broker.At(ctx, last)
		if err != nil && !errors.Is(err, stream.ErrNone) {
			return err
		}
		r.end = position{m.Sequence, m.ID}
	}
	if r.end.sequence > 0 && !p.positions.note(r.end) {
		return errTruncated
	}
	return nil
}

// detectRollback has the whole stream read where an acknowledgement shows that the stream has gone back, or an event that is
// found without one. before is the highest place when the event was sent, or found. After an error the event is to be
// found once more: until the store knows that all is to be read, the place stays that of the other.
func (p *Publisher) detectRollback(ctx context.Context, eventID string, sequence uint64, before position) error {
	same := p.positions.note(position{sequence, eventID})
	if same && sequence <= before.sequence && eventID != before.id { // a known id's place, or the stream has gone back
		var err error
		if same, _, err = p.stillHolds(ctx, before); err != nil {
			return err
		}
	}
	if same {
		return nil
	}
	info, err := p.Broker.Info(ctx)
	if err != nil {
		return err
	}
	if err := p.invalidate(info); err != nil {
		return err
	}
	p.positions.clear()
	return nil
}
