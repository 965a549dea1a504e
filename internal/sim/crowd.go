package sim

import (
	"fmt"
	"net/http"
	"sync/atomic"
)

// crowd is the requests under way, of which no more are borne at once than a number; 0 is any number.
type crowd struct{ bears, now atomic.Int64 }

var tooCrowded = &strike{Fault: Fault{Kind: TooMany, Code: http.StatusTooManyRequests}}

// enter is false for a request too many. Who enters has to leave.
func (c *crowd) enter() bool {
	if bears, now := c.bears.Load(), c.now.Add(1); bears == 0 || now <= bears {
		return true
	}
	c.leave()
	return false
}

func (c *crowd) leave() { c.now.Add(-1) }

// Bear has no more than so many requests answered at once; 0 is any number. What is too many gets 429 at once,
// without a Retry-After, whatever faults there are.
func (s *Sim) Bear(atOnce int) { s.crowd.bears.Store(int64(atOnce)) }

func (s *Sim) postBears(w http.ResponseWriter, r *http.Request) {
	var bears int
	err := decode(w, r, &bears)
	if err == nil && bears < 0 {
		err = fmt.Errorf("%d requests at once: at least 1, or 0 for any number", bears)
	}
	if err != nil {
		refuse(w, err)
		return
	}
	s.Bear(bears)
	w.WriteHeader(http.StatusNoContent)
}

// tellBears says nothing where any number is borne.
func (s *Sim) tellBears() string {
	bears := s.crowd.bears.Load()
	if bears == 0 {
		return ""
	}
	return fmt.Sprintf("bears %d requests at once\n", bears)
}
