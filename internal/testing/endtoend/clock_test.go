package endtoend

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// lifeClock lets the jobs live by what is asked of the CommServe, so that the kills fall into the same lives on
// a slow machine as on a fast one; and where it is let run, when nothing is left but to see the jobs end, by the time
// too. It stands still while the Job list is not read: no job ends, is dropped, or has its token run out before a busy
// machine came to ask.
type lifeClock struct {
	step  time.Duration // a request's worth
	asked atomic.Int64

	mu    sync.Mutex    // guards the rest
	ran   time.Duration // simulated, beside the requests
	speed float64       // simulated seconds in a second; 0: only requests count
	last  time.Time     // it was read
	left  time.Duration // until it stands still
}

// listEvery is how much time may pass between two readings of the list, which are a second apart.
const listEvery = 3 * time.Second

func (c *lifeClock) turnedBy(commServe http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.turn(isList(r))
		commServe.ServeHTTP(w, r)
	})
}

func (c *lifeClock) turn(list bool) {
	c.asked.Add(1)
	if list {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.pass()
		c.left = listEvery
	}
}

func (c *lifeClock) run(speed float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.speed, c.last, c.left = speed, time.Now(), 0
}

func (c *lifeClock) now() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pass()
	return time.Duration(c.asked.Load())*c.step + c.ran
}

// pass notes what time has passed. The lock is held.
func (c *lifeClock) pass() {
	if c.speed == 0 {
		return
	}
	now := time.Now()
	passed := min(now.Sub(c.last), c.left)
	c.last = now
	c.left -= passed
	c.ran += time.Duration(c.speed * float64(passed))
}

// patience says whether a wait may go on: for so long by the time that has passed here, and where it stands still, by ours.
func (c *lifeClock) patience(most time.Duration) (left func() bool) {
	passed := func() time.Duration {
		c.now()
		c.mu.Lock()
		defer c.mu.Unlock()
		return time.Duration(float64(c.ran) / max(c.speed, 1))
	}
	began, moved := passed(), time.Now()
	last := began
	return func() bool {
		if now := passed(); now > last {
			last, moved = now, time.Now()
		}
		return last-began < most && time.Since(moved) < most
	}
}

func isList(r *http.Request) bool {
	return r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/Job")
}

func TestTheClockWaitsForWhoAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := lifeClock{step: time.Millisecond}
		is := func(want time.Duration) {
			t.Helper()
			if got := c.now(); got != want {
				t.Errorf("it is %v, want %v", got, want)
			}
		}
		c.turn(true)
		time.Sleep(time.Hour)
		is(time.Millisecond)
		c.run(20)
		time.Sleep(time.Hour)
		is(time.Millisecond)
		c.turn(false)
		time.Sleep(time.Hour)
		is(2 * time.Millisecond)
		c.turn(true)
		time.Sleep(time.Second)
		is(20*time.Second + 3*time.Millisecond)
		time.Sleep(time.Hour)
		is(20*listEvery + 3*time.Millisecond)

		left := c.patience(2 * listEvery)
		for _, want := range []bool{true, false} {
			c.turn(true)
			time.Sleep(listEvery + time.Second)
			if left() != want {
				t.Errorf("a wait goes on: %v, want %v", !want, want)
			}
		}
		left = c.patience(time.Minute)
		if time.Sleep(time.Minute); left() {
			t.Error("a wait goes on although nobody asks")
		}
	})
}
