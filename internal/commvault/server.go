package commvault

import (
	"net/http"
	"sync/atomic"
	"time"
)

// Server is what answers show of the CommServe besides what was asked for, as of the last one.
type Server struct {
	Ahead           *time.Duration // its clock, of ours, within a second or so; nil: it tells no time
	CertificateEnds time.Time      // the first of its chain; zero: there is no TLS
}

// hints are noted at each answer: without a lock.
type hints struct {
	ahead atomic.Pointer[time.Duration]
	ends  atomic.Int64 // Unix seconds; 0: none
}

// Server gives what is known of it just now.
func (c *Client) Server() Server {
	s := Server{Ahead: c.hints.ahead.Load()}
	if ends := c.hints.ends.Load(); ends != 0 {
		s.CertificateEnds = time.Unix(ends, 0).UTC()
	}
	return s
}

// observe notes what the head of an answer shows, which has come just now. A Date is a whole second, on average half of
// one ago when it was written.
func (h *hints) observe(response *http.Response) {
	if date, err := http.ParseTime(response.Header.Get("Date")); err == nil {
		h.ahead.Store(new(time.Until(date.Add(time.Second / 2))))
	}
	ends := int64(0)
	if response.TLS != nil {
		for _, c := range response.TLS.PeerCertificates {
			if at := c.NotAfter.Unix(); ends == 0 || at < ends {
				ends = at
			}
		}
	}
	h.ends.Store(ends)
}
