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
func (s *session) oldestWaiting() *time.Time {
	var oldest time.Time
	older := func(t time.Time) {
		if oldest.IsZero() || !t.IsZero() && t.Before(oldest) {
			oldest = t
		}
	}
	for _, i := range s.held {
		older(i.delivery.Stored)
	}
	for _, p := range s.parked {
		older(p.oldest)
	}
	if oldest.IsZero() {
		return nil
	}
	return new(oldest.UTC())
}

// noteWaiting notes what waits of a relay that does not deliver. Where it cannot be asked, what was noted stands.
func (r *Relay) noteWaiting(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, beat)
	defer cancel()
	info, err := r.Broker.Standing(ctx, consumerName(r.Name))
	if err != nil {
		return
	}
	pending := info.Pending + uint64(info.Unsettled)
	var oldest *time.Time
	if pending > 0 {
		if oldest, err = r.oldestBehind(ctx, info.Floor); err != nil {
			return
		}
	}
	for _, p := range r.parked {
		if oldest == nil || p.oldest.Before(*oldest) {
			oldest = new(p.oldest.UTC())
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.record.Pending, r.record.Oldest = pending, oldest
	r.status.Pending, r.status.Oldest = pending, oldest
}

// oldestBehind is the time of the first event behind a sequence that the relay takes.
func (r *Relay) oldestBehind(ctx context.Context, floor uint64) (oldest *time.Time, err error) {
	first := uint64(0)
	for _, filter := range r.Subjects {
		err := r.Broker.Each(ctx, filter, floor+1, func(m stream.Message) error {
			if at, known := r.eventOf(m).time(); known && (first == 0 || m.Sequence < first) {
				first, oldest = m.Sequence, new(at.UTC())
			}
			return errEnough
		})
		if err != nil && !errors.Is(err, errEnough) {
			return nil, err
		}
	}
	return oldest, nil
}
