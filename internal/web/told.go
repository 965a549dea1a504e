package web

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"jobwatch/internal/stream"
)

const (
	toldLimit  = 100
	toldMost   = 500
	toldReads  = 20_000 // messages that are looked at for one answer
	toldWithin = 10 * time.Second
)

// told is a page of the stream's events, read backwards.
type told struct {
	Events []jobEvent `json:"events"` // the newest first
	First  uint64     `json:"first"`  // sequence of the first message that the stream holds
	Next   *uint64    `json:"next"`   // the before of the next page; null: it reaches back to the first
}

// told gives the events before a sequence, so that whoever looks can go on to the first of the stream.
func (s *Server) told(w http.ResponseWriter, r *http.Request) {
	want, err := s.parseTold(r.URL.Query())
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	s.readStream(w, r, toldWithin, func(ctx context.Context) (any, error) { return s.readBack(ctx, want) })
}

// readStream answers with what is read of the stream, by one of the few who may read at once.
func (s *Server) readStream(w http.ResponseWriter, r *http.Request, within time.Duration, read func(context.Context) (any, error)) {
	ctx, cancel := context.WithTimeout(r.Context(), within)
	defer cancel()
	done, err := s.takeReader(ctx)
	if err != nil {
		w.Header().Set("Retry-After", "10")
		refuse(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	defer done()
	found, err := read(ctx)
	if err != nil {
		refuse(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	answer(w, http.StatusOK, found)
}

// takeReader waits for one of the places for those who read the stream.
func (s *Server) takeReader(ctx context.Context) (done func(), err error) {
	select {
	case s.readers <- struct{}{}:
		return func() { <-s.readers }, nil
	case <-ctx.Done():
		return nil, errors.New("the events of other jobs are being read, and it takes long; try again later")
	}
}

// readBack reads stretch before stretch, each longer than the one behind it: NATS reads forwards only, and what is wanted
// may be rare.
func (s *Server) readBack(ctx context.Context, want toldFilter) (told, error) {
	info, err := s.Broker.Info(ctx)
	if err != nil {
		return told{}, err
	}
	first := max(info.First, 1)
	found := told{Events: []jobEvent{}, First: first}
	if !want.since.IsZero() {
		if first, err = s.Broker.SequenceAt(ctx, want.since); err != nil {
			return told{}, err
		}
	}
	end := info.Last + 1
	if want.before != 0 {
		end = min(end, want.before)
	}
	begin, read := end, 0
	for reach := uint64(2 * want.limit); end > first && len(found.Events) < want.limit && read < toldReads; {
		from := first
		if end-first > reach {
			from = end - reach
		}
		part, reads, err := s.stretch(ctx, want, from, end-1, want.limit-len(found.Events))
		if errors.Is(err, context.DeadlineExceeded) && end < begin {
			break // the next page goes on
		}
		if err != nil {
			return told{}, err
		}
		end = from
		if len(part) > 0 && len(found.Events)+len(part) == want.limit {
			end = part[0].Sequence
		}
		slices.Reverse(part)
		found.Events = append(found.Events, part...)
		if read += reads; reads < toldReads/8 {
			reach *= 4
		}
	}
	if end > first {
		found.Next = &end
	}
	return found, nil
}

// stretch gives the newest of what is wanted between two sequences, both included, the oldest first, and how many it looked at.
func (s *Server) stretch(ctx context.Context, want toldFilter, from, to uint64, most int) (part []jobEvent, reads int, err error) {
	err = s.Broker.ReadUpTo(ctx, stream.Start{Sequence: from, Subjects: want.subjects}, to, func(m stream.Message) error {
		reads++
		if !want.takes(m) {
			return nil
		}
		if part = append(part, jobEvent{m.Sequence, m.Subject, m.Data}); len(part) > most {
			part = part[1:]
		}
		return nil
	})
	return part, reads, err
}
