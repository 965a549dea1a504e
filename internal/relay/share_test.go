package relay

import (
	"context"
	"os"
	"sync"
	"testing"
	"time"
)

// shared is a destination that takes a moment for each event, and refuses one job's for ever.
type shared struct {
	mu      sync.Mutex
	refuses int64
	others  map[string]bool
	tries   int // at the one that is refused, until the others were through
	all     int
}

func (s *shared) Deliver(ctx context.Context, b Batch) (int, error) {
	pause(ctx, 5*time.Millisecond)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := b.Events[0]
	if e.Job.Number == s.refuses {
		if len(s.others) < s.all {
			s.tries++
		}
		return 0, &Refusal{Reason: "HTTP 500", Status: 500}
	}
	s.others[e.ID] = true
	return 1, nil
}

func (s *shared) done() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.others)
}

// share has 99 jobs of 100 delivered, the first of which has so many events in front of all others.
func share(t *testing.T, front int, refuses int64) (took time.Duration, tries int) {
	w := newWorld(t)
	for range front {
		w.tell(1)
	}
	for range 40 {
		for job := range 100 {
			w.tell(job + 1)
		}
	}
	to := &shared{refuses: refuses, others: map[string]bool{}, all: 99 * 40}
	began := time.Now()
	w.relays(to)
	want := 99 * 40
	if refuses == 0 {
		want = 100*40 + front
	}
	until(t, "all others are through", func() bool { return to.done() >= want })
	return time.Since(began), to.tries
}

// TestThroughputBesideARefusedJob measures; it fails by no clock. That others get through is TestARefusedJobHoldsUpNoOther.
func TestThroughputBesideARefusedJob(t *testing.T) {
	if os.Getenv("JOBWATCH_RELAY_SPEED") == "" {
		t.Skip("JOBWATCH_RELAY_SPEED is not set")
	}
	for range 2 {
		well, _ := share(t, 0, 0)
		one, tries := share(t, 0, 1)
		t.Logf("one job in a hundred: %.0f/s without, %.0f/s of the others with it (%d tries)", 4000/well.Seconds(), 3960/one.Seconds(), tries)
		full, tries := share(t, 400, 1)
		t.Logf("and the window full of it: %.0f/s of the others (%d tries)", 3960/full.Seconds(), tries)
	}
}
