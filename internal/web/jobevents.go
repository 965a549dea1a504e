package web

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
	"jobwatch/internal/stream"
)

const (
	jobEventsLimit  = 500
	jobEventsMost   = 5000
	jobEventsWithin = 10 * time.Second
	jobEventsAtOnce = 4 // jobs whose events are read: each event is a request to the stream's leader
)

// jobEvent is an event as the stream holds it.
type jobEvent struct {
	Sequence uint64          `json:"sequence"` // in the stream
	Subject  string          `json:"subject"`
	Event    json.RawMessage `json:"event"`
}

type jobEvents struct {
	Events []jobEvent `json:"events"` // the oldest first
	More   bool       `json:"more"`   // there are older ones
}

// jobEvents gives what the stream holds of one job, the newest ?limit= of it.
func (s *Server) jobEvents(w http.ResponseWriter, r *http.Request) {
	id, err := job.ParseID(r.PathValue("commcell") + "/" + r.PathValue("id"))
	if err != nil {
		refuse(w, http.StatusNotFound, err.Error())
		return
	}
	limit, err := number(r.URL.Query(), "limit", jobEventsLimit, jobEventsMost)
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	s.readStream(w, r, jobEventsWithin, func(ctx context.Context) (any, error) { return s.eventsOf(ctx, id, limit) })
}

func (s *Server) eventsOf(ctx context.Context, id job.ID, limit int) (jobEvents, error) {
	found := jobEvents{Events: []jobEvent{}}
	err := s.Broker.Each(ctx, event.Filter(s.Publisher.Prefix, id), 0, func(m stream.Message) error {
		if _, err := event.Parse(m.Data); err != nil {
			return nil // another's message on our subjects
		}
		found.Events = append(found.Events, jobEvent{m.Sequence, m.Subject, m.Data})
		if len(found.Events) > limit {
			found.Events, found.More = found.Events[1:], true
		}
		return nil
	})
	return found, err
}
