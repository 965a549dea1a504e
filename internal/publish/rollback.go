package publish

import (
	"context"
	"errors"
	"sync"

	"jobwatch/internal/stream"
)

// positions detect a rollback: they are the stream sequences of the last events that the broker has acknowledged, or
// that were read. A stream that gives out a sequence a second time has gone back, be it on the same connection:
// nothing else shows it, once another message stands there.
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

// note notes an event's position; false if another event is known to stand there, which is then left as it is.
func (p *positions) note(s position) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := &p.recent[s.sequence%uint64(len(p.recent))]
	switch {
	case before.sequence > s.sequence:
		return true // too long ago: nothing is known of it
	case before.sequence == s.sequence && before.id != s.id:
		return false
	}
	*before = s
	p.last = max(p.last, s.sequence)
	return true
}

// clear forgets all positions, once it is certain that the whole stream will be read.
func (p *positions) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.recent, p.last = [1 << 10]position{}, 0
}

// noteLastRead notes the last message read, as if it had been acknowledged: a stream that goes back from now on gives out
// its sequence again. The error says that it has gone back already.
func (p *Publisher) noteLastRead(ctx context.Context, r *reading, last uint64) error {
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

// detectRollback invalidates what was read of the stream where an event's position shows that the stream has gone
// back; the event was acknowledged, or found without that. before is the highest position when it was sent, or found.
// After an error the event is to be found once more: until the store knows that all is to be read, the position stays
// the other's.
func (p *Publisher) detectRollback(ctx context.Context, eventID string, sequence uint64, before position) error {
	same := p.positions.note(position{sequence, eventID})
	if same && sequence <= before.sequence && eventID != before.id { // the broker knew the id already, or the stream has gone back
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
