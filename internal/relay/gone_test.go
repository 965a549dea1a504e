package relay

import (
	"sync/atomic"
	"testing"
	"time"
)

// TestADestinationThatWantsNothingMore turns the relay off, for whoever relays, until somebody turns it on; nothing is lost.
func TestADestinationThatWantsNothingMore(t *testing.T) {
	inBubble(t, func(m *model) {
		to := &receiver{}
		_, conn, stop := m.relays("a", to)
		m.tell(1, 2, 3)
		time.Sleep(time.Second)
		var tries atomic.Int64
		to.set(func(*Event) error {
			tries.Add(1)
			return &Refusal{Kind: Gone, Reason: "HTTP 410", Status: 410}
		})
		m.tell(1, 2, 3, 1)
		time.Sleep(10 * time.Second)
		isOff := func(when string) {
			t.Helper()
			if s := m.status(); s.State != Off || s.Reason != "HTTP 410" || s.Alarm {
				t.Errorf("%s: %+v", when, s)
			}
			if n := tries.Swap(0); n > 0 {
				t.Errorf("%s: %d tries", when, n)
			}
		}
		if n := tries.Swap(0); n < 1 || n > 3 {
			t.Errorf("%d tries before it was off", n)
		}
		m.tell(2)
		time.Sleep(time.Hour)
		isOff("an hour later")
		if s := m.status(); s.Pending != 5 || s.Oldest == nil {
			t.Errorf("of 5 events that wait: %+v", s)
		}
		conn.Cut()
		stop()
		m.tell(3)
		if s := m.status(); s.Pending != 6 || s.Oldest == nil {
			t.Errorf("of 6 events that wait while nobody relays: %+v", s)
		}
		_, _, stop = m.relays("a", to)
		time.Sleep(time.Hour)
		isOff("after a kill")
		stop()
		m.relays("b", to)
		time.Sleep(time.Hour)
		isOff("for another watcher")
		m.turnOn()
		time.Sleep(10 * time.Second)
		if tries.Swap(0) == 0 {
			t.Error("turned on again, it was not tried")
		}
		time.Sleep(time.Hour)
		isOff("turned on in vain")
		to.set(nil)
		m.turnOn()
		time.Sleep(20 * time.Second)
		inOrder(t, to.ids(0), m.number)
		if n := len(m.letters()); n > 0 || to.count() != 9 {
			t.Errorf("%d dead letters, %d delivered", n, to.count())
		}
		if s := m.status(); s.State != Delivering || s.Reason != "" {
			t.Errorf("turned on: %+v", s)
		}
	})
}
