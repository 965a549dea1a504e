package commvault

import (
	"net/http"
	"sync/atomic"
	"time"
)

// clock is by how much the server's is ahead of ours, by its last answer.
type clock struct{ last atomic.Pointer[time.Duration] }

// Ahead says by how much the CommServe's clock is ahead of this machine's (negative: behind), as the Date of its last
// answer shows: to a second, and to half of the time that the answer took. It is false while no answer had one.
func (c *Client) Ahead() (time.Duration, bool) {
	if ahead := c.clock.last.Load(); ahead != nil {
		return *ahead, true
	}
	return 0, false
}

// observe takes the middle of the second that Date names for the middle of the exchange. An answer from a cache
// has the Date of another.
func (k *clock) observe(response *http.Response, asked, answered time.Time) {
	date, err := http.ParseTime(response.Header.Get("Date"))
	if err != nil || response.Header.Get("Age") != "" {
		return
	}
	ahead := date.Add(time.Second / 2).Sub(asked.Add(answered.Sub(asked) / 2))
	k.last.Store(&ahead)
}
