package relay

import "context"

// What waits of a job that is set aside may age out of the stream, where nobody holds it any more. The events of a job are
// numbered: what is missing when it is read back shows in that.

// numberOf is that of the job's events; 0: unknown.
func numberOf(e *Event) uint64 {
	parsed, err := e.Parsed()
	if err != nil {
		return 0
	}
	return parsed.Number()
}

// wait is what is known of a parked job before it is read back.
type wait struct {
	from    uint64 // sequence in the stream from which on its events wait
	number  uint64 // the job's event that is the first to come; 0: unknown
	certain bool   // it has come already
	last    uint64 // the job's event that came last; 0: none since the claim
}

func (p *parked) waits() wait { return wait{p.next, p.number, p.certain, p.lastNumber} }

// behind is what waits once so many events that were read back are done with.
func behind(events []*Event, done int) wait {
	last := events[done-1]
	return wait{from: last.Sequence + 1, number: numberOf(last) + 1, certain: done < len(events)}
}

// agedOut says how many of a job's events the stream has forgotten since they were set aside, and which of them is the
// first to come now, at which sequence of the stream. Events that are left out by a filter leave gaps in the numbers, too,
// but where the stream has forgotten nothing those are all. Who never saw the last of them counts one at least.
func (s *session) agedOut(ctx context.Context, w wait, events []*Event) (count uint64, now wait, err error) {
	now = wait{number: w.last + 1}
	switch {
	case len(events) > 0:
		now.number, now.certain = numberOf(events[0]), true
	case w.certain:
		now.number = max(w.last, w.number) + 1
	}
	if w.number == 0 || now.number <= w.number {
		return 0, w, nil
	}
	is, err := s.Broker.Info(ctx)
	if err != nil || is.First <= w.from {
		return 0, w, err
	}
	now.from = is.First
	return now.number - w.number, now, nil
}
