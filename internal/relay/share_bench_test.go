package relay

import (
	"context"
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
func share(t testing.TB, front int, refuses int64) (took time.Duration, tries int) {
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

// BenchmarkBesideARefusedJob measures the throughput of the others. That they get through at all is what
// TestARefusedJobHoldsUpNoOther shows.
func BenchmarkBesideARefusedJob(b *testing.B) {
	for b.Loop() {
		well, _ := share(b, 0, 0)
		one, tries := share(b, 0, 1)
		full, _ := share(b, 400, 1)
		b.ReportMetric(4000/well.Seconds(), "without/s")
		b.ReportMetric(3960/one.Seconds(), "others/s")
		b.ReportMetric(3960/full.Seconds(), "window-full/s")
		b.ReportMetric(float64(tries), "tries")
	}
}
