package relay

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"
)

// TestTheOrderOfTheStreamAsAWhole is kept by a relay that has one key for all, whenever it is killed: what comes again begins
// with what was under way.
func TestTheOrderOfTheStreamAsAWhole(t *testing.T) {
	for at := range 20 {
		inBubble(t, func(m *model) {
			to := &slowly{takes: 200 * time.Millisecond}
			whole := func(c *Config) { c.Whole, c.Together = true, 4 }
			_, conn, stop := m.relays("a", to, whole)
			for n := range 200 {
				m.tell(n%7 + 1)
				time.Sleep(300 * time.Millisecond)
				if n%60 == 3*at {
					conn.Cut()
					stop()
					_, conn, stop = m.relays("a", to, whole)
				}
			}
			time.Sleep(time.Minute)
			var reached uint64
			for _, sequence := range to.got {
				if sequence > reached+1 {
					t.Errorf("%d after %d", sequence, reached)
				}
				reached = max(reached, sequence)
			}
			slices.Sort(to.got)
			if got := len(slices.Compact(to.got)); got != 200 {
				t.Errorf("%d of 200 events", got)
			}
		})
	}
}

// slowly is a destination that has taken an event before it answers.
type slowly struct {
	mu    sync.Mutex
	takes time.Duration
	got   []uint64 // sequences in the stream
}

func (s *slowly) Deliver(ctx context.Context, b Batch) (done int, err error) {
	for _, e := range b.Events {
		s.mu.Lock()
		s.got = append(s.got, e.Sequence)
		s.mu.Unlock()
		if !pause(ctx, s.takes) {
			return done, ctx.Err()
		}
		done++
	}
	return done, nil
}
