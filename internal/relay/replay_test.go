package relay

import (
	"slices"
	"strings"
	"testing"

	"jobwatch/internal/testing/slow"
)

func TestReplayToARelay(t *testing.T) {
	slow.Test(t, "5 s", "orders are read at each beat")
	t.Parallel()
	w := newWorld(t)
	for range 60 {
		w.tell(1, 2)
	}
	if n, err := Replay(soon(t), w.broker, "JOBS", "ops", []uint64{1}); n != 0 || err == nil || !strings.Contains(err.Error(), "no watcher has relayed ops yet") {
		t.Fatalf("before it has ever run: %d replayed, %v", n, err)
	}
	to := &receiver{}
	w.relays(to)
	until(t, "all is delivered", func() bool { return to.count() == 120 })

	var all []uint64
	for sequence := range uint64(120) {
		all = append(all, sequence+1)
	}
	n, err := Replay(soon(t), w.broker, "JOBS", "ops", all)
	if n != 120 || err != nil || to.count() != 240 {
		t.Fatalf("%d replayed, %v; %d delivered", n, err, to.count())
	}
	inOrder(t, to.ids(0)[120:], map[string]int{"prod/1": 60, "prod/2": 60})
	to.mu.Lock()
	defer to.mu.Unlock()
	if to.got[0].Replayed || slices.ContainsFunc(to.got[120:], func(e *Event) bool { return !e.Replayed }) {
		t.Error("what is replayed is marked, and nothing else")
	}
}

// TestAReplayUponAnother orders the same event again before a beat has shown that the first order is gone.
func TestAReplayUponAnother(t *testing.T) {
	slow.Test(t, "10 s", "orders are read at each beat")
	t.Parallel()
	w := newWorld(t)
	w.tell(1)
	to := &receiver{}
	w.relays(to)
	until(t, "it is delivered", func() bool { return to.count() == 1 })
	for range 3 {
		if _, err := Replay(soon(t), w.broker, "JOBS", "ops", []uint64{1}); err != nil {
			t.Fatal(err)
		}
	}
	if to.count() != 4 {
		t.Errorf("%d deliveries, want 4", to.count())
	}
}
