package publish

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"jobwatch/internal/job"
)

// causes are what keeps us from publishing or reading. Each is logged once, however often it is met, and again at the
// tenth time, the hundredth and so on, with the count; and when it comes back after a success.
type causes struct {
	log *slog.Logger

	mu    sync.Mutex
	known map[string]*cause // by the message and the error without its numbers; guarded by mu
}

type cause struct {
	times     int
	named     time.Time
	recovered bool // something has succeeded since
}

const (
	mostCauses      = 100             // a cause with another text each time must not take all memory
	namedAgainAfter = 3 * time.Second // a cause that comes and goes
)

// report logs a cause, if it is due.
func (c *causes) report(level slog.Level, what string, err error, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil || len(c.known) >= mostCauses {
		c.known = map[string]*cause{}
	}
	key := what + string(job.Text(err.Error()).WithoutNumbers())
	is := c.known[key]
	if is == nil {
		is = &cause{recovered: true}
		c.known[key] = is
	}
	if is.recovered && time.Since(is.named) >= namedAgainAfter {
		is.times = 0
	}
	is.recovered = false
	is.times++
	if !powerOfTen(is.times) {
		return
	}
	is.named = time.Now()
	args = append(args, "err", err)
	if is.times > 1 {
		args = append(args, "count", is.times)
	}
	c.log.Log(context.Background(), level, what, args...)
}

// recovered notes a success.
func (c *causes) recovered() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, is := range c.known {
		is.recovered = true
	}
}

func powerOfTen(n int) bool {
	for n > 1 && n%10 == 0 {
		n /= 10
	}
	return n == 1
}
