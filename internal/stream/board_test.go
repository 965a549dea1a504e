package stream

import (
	"testing"
	"time"
)

// However many look, NATS is asked seldom; what was said long ago is not said again.
func TestABoardAsksSeldom(t *testing.T) {
	b := use(t, startServer(t))
	fill(t, b, 3)
	board := new(Board)
	asked := func() time.Time {
		board.mu.Lock()
		defer board.mu.Unlock()
		return board.asked
	}
	until(t, "it says something", func() bool { is := board.Read(t.Context(), b); return is.Info != nil && is.Info.Messages == 3 })
	first := asked()
	for range 100 {
		if is := board.Read(t.Context(), b); is.Info == nil || is.Readings == nil || is.RoundTrip == nil {
			t.Fatalf("it says %+v", is)
		}
	}
	if again := asked(); !again.Equal(first) && again.Sub(first) < boardHolds {
		t.Errorf("asked at %v, and at %v", first, again)
	}
	board.mu.Lock()
	board.asked, board.asking = first.Add(-boardStale), make(chan struct{}) // one that is under way, and does not end
	board.mu.Unlock()
	if is := board.Read(t.Context(), b); is.Info != nil || is.Readings != nil {
		t.Errorf("of long ago it says %+v", is)
	}
}
