package publish

import (
	"sync"

	"jobwatch/internal/job"
)

// claims see to it that one goroutine at a time sends a job's events.
type claims struct {
	mu    sync.Mutex
	taken map[job.ID]bool // true: asked for again meanwhile; guarded by mu
}

// take claims a job; false if someone has it, who is then told to look once more before letting go.
func (c *claims) take(id job.ID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.taken == nil {
		c.taken = map[job.ID]bool{}
	}
	_, busy := c.taken[id]
	c.taken[id] = busy
	return !busy
}

// release lets a job go; false if it was asked for again, and stays claimed.
func (c *claims) release(id job.ID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.taken[id] {
		c.taken[id] = false
		return false
	}
	delete(c.taken, id)
	return true
}

// drop lets a job go, asked for again or not: the next round finds it, for it has events that wait.
func (c *claims) drop(id job.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.taken, id)
}
