package relay

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"jobwatch/internal/testing/modelbroker"
	"jobwatch/internal/testing/slow"
)

// spans is a destination that notes from when to when a host delivers what. It takes a moment; of job 1, for ever.
type spans struct {
	mu  sync.Mutex
	all []*span
}

type span struct {
	host     string
	id       string
	from, to time.Time // to: zero while it is under way
}

func (s *spans) of(host string) Destination { return spansOf{s, host} }

type spansOf struct {
	*spans
	host string
}

func (s spansOf) Deliver(ctx context.Context, b Batch) (int, error) {
	this := &span{host: s.host, id: b.Events[0].ID, from: time.Now()}
	s.mu.Lock()
	s.all = append(s.all, this)
	s.mu.Unlock()
	takes := 300 * time.Millisecond
	if b.Events[0].Job.Number == 1 {
		takes = time.Hour
	}
	delivered := pause(ctx, takes)
	s.mu.Lock()
	defer s.mu.Unlock()
	this.to = time.Now()
	if !delivered {
		return 0, ctx.Err()
	}
	return 1, nil
}

// beats is a gate that knows when the last acknowledged beat was sent, and has requests wait in vain.
type beats struct {
	mu   sync.Mutex
	lost func(modelbroker.Call) bool // nil: none
	sent time.Time
	last time.Time // acknowledged
}

func (b *beats) gate(ctx context.Context, c modelbroker.Call) error {
	pause(ctx, 10*time.Millisecond)
	b.mu.Lock()
	lost := b.lost != nil && b.lost(c)
	if isBeat(c) && !lost {
		if c.End {
			b.last = b.sent
		} else {
			b.sent = time.Now()
		}
	}
	b.mu.Unlock()
	if lost {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	return nil
}

func (b *beats) lose(lost func(modelbroker.Call) bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lost = lost
}

func isBeat(c modelbroker.Call) bool { return c.Operation == "Put" && c.Subject == "ops" }

func minute(c *Config) { c.Timeout = time.Minute }

// TestAHolderWhoseBeatsAreLostStops before another one delivers, however the beats are lost and whenever the connection ends
// after that: it starts nothing more, and what is under way is cut off.
func TestAHolderWhoseBeatsAreLostStops(t *testing.T) {
	slow.Test(t, "2 s", "ten ways to lose beats, each at many moments")
	for name, lost := range map[string]func(modelbroker.Call) bool{
		"the connection is cut":                 func(modelbroker.Call) bool { return false },
		"nothing is answered":                   func(modelbroker.Call) bool { return true },
		"no beat arrives, and all else does":    func(c modelbroker.Call) bool { return isBeat(c) && !c.End },
		"no beat is answered, and all else is":  func(c modelbroker.Call) bool { return isBeat(c) && c.End },
		"no order is read, and all else is":     func(c modelbroker.Call) bool { return c.Operation == "Get" && c.Subject == "ops.off" },
		"no state is told, and all else is":     func(c modelbroker.Call) bool { return c.Operation == "Append" },
		"nothing is known of the stream's end":  func(c modelbroker.Call) bool { return c.Operation == "Info" || c.Operation == "At" },
		"nothing is known of the consumer":      func(c modelbroker.Call) bool { return c.Operation == "ConsumerInfo" },
		"beats and the consumer are not known":  func(c modelbroker.Call) bool { return isBeat(c) || c.Operation == "ConsumerInfo" },
		"no beat is answered, nor a read of it": func(c modelbroker.Call) bool { return c.Subject == "ops" },
	} {
		t.Run(name, func(t *testing.T) {
			for after := time.Duration(0); after <= 9*time.Second; after += 700 * time.Millisecond {
				inBubble(t, func(m *model) { m.stops(lost, after) })
			}
		})
	}
}

func (m *model) stops(lost func(modelbroker.Call) bool, cut time.Duration) {
	var to spans
	var beats beats
	_, conn, _ := m.relaysBehind("a", to.of("a"), beats.gate, minute)
	time.Sleep(time.Second)
	m.relays("b", to.of("b"), minute)
	m.tell(1)
	several := func(seconds int) {
		for range seconds {
			m.tell(2, 3, 4)
			time.Sleep(time.Second)
		}
	}
	several(9)
	beats.lose(lost)
	time.Sleep(cut)
	conn.Cut()
	began := time.Now()
	several(30)
	to.mu.Lock()
	defer to.mu.Unlock()
	beats.mu.Lock()
	ends := beats.last.Add(leaseLife)
	beats.mu.Unlock()
	var first, last time.Time
	for _, s := range to.all {
		switch {
		case s.host == "b" && first.IsZero():
			first = s.from
		case s.host == "b":
			continue
		case s.from.After(ends):
			m.t.Errorf("cut off %s later: %s is begun %s after the lease", cut, s.id, s.from.Sub(ends))
		case s.to.IsZero() || s.to.After(ends):
			m.t.Errorf("cut off %s later: %s goes on until %s after the lease", cut, s.id, s.to.Sub(ends))
		}
		if s.host == "a" && s.to.After(last) {
			last = s.to
		}
	}
	if first.IsZero() || first.Sub(began) > 20*time.Second {
		m.t.Errorf("cut off %s later: the other one begins at %s", cut, first)
	}
	if first.Before(last) {
		m.t.Errorf("cut off %s later: the other one begins %s before this one has ended", cut, last.Sub(first))
	}
}

// TestALostAnswerDoesNotLoseTheLease: what is under way goes on, and the other one stays where it is.
func TestALostAnswerDoesNotLoseTheLease(t *testing.T) {
	for name, lost := range map[string]func(modelbroker.Call) bool{
		"of a beat that happened": func(c modelbroker.Call) bool { return isBeat(c) && c.End },
		"of a beat that did not":  func(c modelbroker.Call) bool { return isBeat(c) && !c.End },
		"to what is ordered":      func(c modelbroker.Call) bool { return c.Operation == "Get" && c.Subject == "ops.off" },
		"about dead letters":      func(c modelbroker.Call) bool { return c.Operation == "Entries" },
		"of a state that is told": func(c modelbroker.Call) bool { return c.Operation == "Append" },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(m *model) {
				var to spans
				var beats beats
				var once sync.Once
				m.relaysBehind("a", to.of("a"), beats.gate, minute)
				time.Sleep(time.Second)
				m.relays("b", to.of("b"), minute)
				beats.lose(func(c modelbroker.Call) (is bool) {
					if lost(c) {
						once.Do(func() { is = true })
					}
					return is
				})
				m.tell(1)
				time.Sleep(40 * time.Second)
				to.mu.Lock()
				defer to.mu.Unlock()
				if len(to.all) != 1 || to.all[0].host != "a" || !to.all[0].to.IsZero() {
					t.Errorf("the delivery that takes its time: begun %d times, by %s at first, ended %s", len(to.all), to.all[0].host, to.all[0].to)
				}
			})
		})
	}
}

// TestWhatAnotherHasDeliveredIsNoLongerRefused: a watcher that relays again does not hold against the next event of a job how
// often it had refused an earlier one.
func TestWhatAnotherHasDeliveredIsNoLongerRefused(t *testing.T) {
	inBubble(t, func(m *model) {
		to := &receiver{}
		var first, second atomic.Int64 // tries
		unfit := func(e *Event) error {
			if e.ID == message(1, 1).ID {
				first.Add(1)
			} else {
				second.Add(1)
			}
			return &Refusal{Kind: Unfit, Reason: "HTTP 400", Status: 400}
		}
		to.set(unfit)
		_, conn, _ := m.relays("a", to)
		_, other, _ := m.relays("b", to)
		time.Sleep(time.Second)
		if m.status().Holder == "b" {
			conn, other = other, conn
		}
		m.tell(1)
		for first.Load() < 2 {
			time.Sleep(10 * time.Millisecond)
		}
		to.set(nil)
		conn.Cut()
		for to.count() < 1 {
			time.Sleep(time.Second)
		}
		conn.Restore()
		time.Sleep(time.Second)
		other.Cut()
		to.set(unfit)
		m.tell(1)
		time.Sleep(time.Minute)
		if n, letters := second.Load(), m.letters(); n != 3 || len(letters) != 1 || letters[0].Tries != 3 {
			t.Errorf("%d tries; %+v", n, letters)
		}
	})
}
