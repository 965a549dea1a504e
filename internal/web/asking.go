package web

import (
	"time"

	"jobwatch/internal/commvault"
	"jobwatch/internal/poller"
)

// asking is how a CommCell is asked: what came of it, the limits in force, and how late changes were seen.
type asking struct {
	Requests map[string]int64 `json:"requests"` // since the start, by HTTP status, or why none came
	Limits   *limits          `json:"limits"`   // null: it is not polled here
	Quota    *quota           `json:"quota"`    // so, too
	Delay    *delay           `json:"delay"`    // of the last 1,000 changes of state; null: none was seen yet
	Delays   [][4]int64       `json:"delays"`   // of cycles of the ring with changes: began (Unix seconds), median (ms), 99th percentile (ms), changes
}

type limits struct {
	AtOnce  int        `json:"atOnce"`      // requests under way at most, just now
	Ceiling int        `json:"concurrency"` // as configured
	Rate    float64    `json:"perSecond"`   // requests a second, just now; 0: any number
	Wanted  float64    `json:"rateLimit"`   // as configured
	Held    *time.Time `json:"heldUntil"`   // nothing is asked until then; null: it is asked
	Cause   string     `json:"heldBecause,omitempty"`
}

// quota is what the CommServe allows, as it last said.
type quota struct {
	Limit  int64   `json:"limit"`         // requests in a period; 0: it named none
	Period float64 `json:"periodSeconds"` // an hour until it names one
	Spent  int64   `json:"spent"`         // in the present period
}

type delay struct {
	Median  float64 `json:"p50Seconds"`
	P99     float64 `json:"p99Seconds"`
	Changes int     `json:"changes"`
}

// Meters are what metrics.Metrics has counted of a CommCell, and what it counts here.
type Meters interface {
	Requests(commCell string) map[string]int64
	Quota(commCell string) (q commvault.Quota, known bool)
	Follows(now int) // one who follows events has come, or gone
	Dropped()        // one lagged too far behind
}

var asksNothing = asking{Requests: map[string]int64{}, Delays: [][4]int64{}}

func (s *Server) asks(p *poller.Poller) asking {
	a := asking{
		Requests: map[string]int64{}, Delays: [][4]int64{},
		Limits: &limits{AtOnce: p.Limit(), Ceiling: p.Concurrency, Rate: p.Rate(), Wanted: p.RateLimit},
	}
	if until, cause := p.Hold(); cause != nil {
		a.Limits.Held, a.Limits.Cause = known(until), cause.Error()
	}
	if s.Meters != nil {
		a.Requests = s.Meters.Requests(p.CommCell)
		if q, known := s.Meters.Quota(p.CommCell); known {
			a.Quota = &quota{q.Limit, q.Period.Seconds(), q.Spent}
		}
	}
	if d := p.Counts.Delay(); d.Changes > 0 {
		a.Delay = &delay{d.Median.Seconds(), d.P99.Seconds(), d.Changes}
	}
	for _, cycle := range p.Counts.Last() {
		if d := cycle.Delay; d.Changes > 0 {
			a.Delays = append(a.Delays, [4]int64{cycle.Began.Unix(), d.Median.Milliseconds(), d.P99.Milliseconds(), int64(d.Changes)})
		}
	}
	return a
}
