package relay

import (
	"context"
	"errors"
	"time"

	"jobwatch/internal/stream"
)

// What waits for a relay: how much, and since when.

func (s *session) note(floor uint64, positions []position, info stream.DurableInfo) {
	oldest := s.oldestWaiting()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.record.Floor, s.record.Positions = floor, positions
	s.record.Pending = info.Pending + uint64(len(s.held))
	s.record.Oldest, s.record.Parked = oldest, len(s.parked)
	s.status.Pending, s.status.Oldest, s.status.Parked, s.status.Missed = s.record.Pending, oldest, s.record.Parked, s.record.Missed
}

// oldestWaiting is when the stream stored the oldest event that waits.
func (s *session) oldestWaiting() (oldest *time.Time) {
	for _, i := range s.held {
		oldest = older(oldest, &i.delivery.Stored)
	}
	for _, p := range s.parked {
		oldest = older(oldest, &p.oldest)
	}
	if oldest == nil {
		return nil
	}
	return new(oldest.UTC())
}

// noteWaiting notes what waits of a relay that does not deliver. Where it cannot be asked, what was noted stands.
func (r *Relay) noteWaiting(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, beat)
	defer cancel()
	pending, oldest, err := waiting(ctx, r.Broker, r.Name)
	if err != nil {
		return
	}
	for _, p := range r.parked {
		oldest = older(oldest, &p.oldest)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.record.Pending, r.record.Oldest = pending, oldest
	r.status.Pending, r.status.Oldest = pending, oldest
}

// waiting asks how many events wait for a relay, and for the time of the oldest; nil: none waits.
func waiting(ctx context.Context, b Broker, name string) (pending uint64, oldest *time.Time, err error) {
	info, err := b.Standing(ctx, consumerName(name))
	pending = info.Pending + uint64(info.Unsettled)
	if err != nil || pending == 0 {
		return 0, nil, err
	}
	for _, filter := range info.Filters {
		err := b.Each(ctx, filter, info.Floor+1, func(m stream.Message) error {
			if at, known := (&Event{Data: m.Data}).time(); known {
				oldest = older(oldest, new(at.UTC()))
			}
			return errEnough
		})
		if err != nil && !errors.Is(err, errEnough) {
			return 0, nil, err
		}
	}
	return pending, oldest, nil
}

// older is the earlier of two times, of which either may be none.
func older(a, b *time.Time) *time.Time {
	switch {
	case b == nil || b.IsZero():
		return a
	case a == nil || b.Before(*a):
		return b
	}
	return a
}
