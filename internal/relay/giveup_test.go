package relay

import (
	"context"
	"strings"
	"testing"
	"time"

	"jobwatch/internal/testing/modelbroker"
)

const giveUp = 10 * time.Minute

func givesUp(c *Config) { c.GiveUpAfter = giveUp }

// refuses refuses the events of job 1; all, where everybody is refused.
func (r *receiver) refuses(everybody bool) {
	r.set(func(e *Event) error {
		switch {
		case everybody:
			return &Refusal{Kind: Away, Reason: "HTTP 503 to all", Status: 503}
		case e.Job.Number == 1:
			return &Refusal{Kind: Uncertain, Reason: "HTTP 500", Status: 500}
		}
		return nil
	})
}

// busy has events of other jobs told for a while.
func (m *model) busy(d time.Duration) {
	m.t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(5 * time.Second) {
		m.tell(2, 3)
	}
}

func (m *model) letters() (all []Letter) {
	m.t.Helper()
	err := Dead(m.t.Context(), m.connect(), "JOBS", "", "ops", Selection{}, func(l Letter) error { all = append(all, l); return nil })
	if err != nil {
		m.t.Fatal(err)
	}
	return all
}

func (m *model) order(order func(ctx context.Context, b Broker) error) {
	m.t.Helper()
	if err := order(m.t.Context(), m.connect()); err != nil {
		m.t.Fatal(err)
	}
}

func (m *model) turnOff() {
	m.t.Helper()
	m.order(func(ctx context.Context, b Broker) error { return TurnOff(ctx, b, "JOBS", "ops", "") })
}

func (m *model) turnOn() {
	m.t.Helper()
	m.order(func(ctx context.Context, b Broker) error { return TurnOn(ctx, b, "JOBS", "ops") })
}

// TestGivingUpTakesTheTimeInWhichOthersAreTaken, and no other time: what interrupts it does not count, and loses nothing of it.
func TestGivingUpTakesTheTimeInWhichOthersAreTaken(t *testing.T) {
	type relay struct{ stop, kill func() }
	for name, interrupt := range map[string]func(m *model, to *receiver, is relay) relay{
		"nothing": func(_ *model, _ *receiver, is relay) relay { return is },
		"the destination is away": func(m *model, to *receiver, is relay) relay {
			to.refuses(true)
			m.busy(2 * giveUp)
			to.refuses(false)
			return is
		},
		"the relay is off": func(m *model, _ *receiver, is relay) relay {
			m.turnOff()
			time.Sleep(2 * giveUp)
			m.turnOn()
			return is
		},
		"the relay is killed": func(m *model, to *receiver, is relay) relay {
			is.kill()
			time.Sleep(2 * giveUp)
			return relay{}
		},
		"the relay is killed while the destination is away": func(m *model, to *receiver, is relay) relay {
			to.refuses(true)
			m.busy(giveUp / 2)
			is.kill()
			time.Sleep(2 * giveUp)
			to.refuses(false)
			return relay{}
		},
		"the relay stops": func(m *model, _ *receiver, is relay) relay {
			is.stop()
			time.Sleep(2 * giveUp)
			return relay{}
		},
		"the destination fails with all, who are few": func(m *model, to *receiver, is relay) relay {
			to.set(func(*Event) error { return &Refusal{Reason: "HTTP 502", Status: 502} })
			m.tell(2)
			time.Sleep(2 * giveUp)
			to.refuses(false)
			return is
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(m *model) {
				to := &receiver{}
				to.refuses(false)
				start := func() relay {
					_, conn, stop := m.relays("a", to, givesUp)
					return relay{stop, func() { conn.Cut(); stop() }}
				}
				is := start()
				m.tell(1, 1)
				first := time.Now()
				for range 2 {
					m.busy(giveUp*4/10 - 30*time.Second)
					if is = interrupt(m, to, is); is.stop == nil {
						is = start()
					}
				}
				m.busy(giveUp/10 + time.Minute) // 9/10 in all
				if letters := m.letters(); len(letters) > 0 {
					t.Fatalf("given up before its time: %+v", letters)
				}
				m.busy(giveUp * 3 / 10)
				letters := m.letters()
				if len(letters) != 1 {
					t.Fatalf("%d dead letters when its time was over", len(letters))
				}
				l := letters[0]
				if l.ID != message(1, 1).ID || l.Reason != "HTTP 500" || l.Status != 500 || l.FirstTry.Sub(first) > 10*time.Second || l.Tries < 10 {
					t.Errorf("got %+v; first refused at %s", l, first)
				}
				to.set(nil)
				m.busy(time.Minute)
				if ids := to.ids(1); len(ids) != 1 || ids[0] != message(1, 2).ID {
					t.Errorf("of its job were delivered: %s", ids)
				}
			})
		})
	}
}

// TestAQuietTimeCounts for a job that was refused while others were taken: it says nothing of the destination.
func TestAQuietTimeCounts(t *testing.T) {
	inBubble(t, func(m *model) {
		to := &receiver{}
		to.refuses(false)
		r, _, _ := m.relays("a", to, givesUp)
		m.tell(1)
		m.busy(giveUp / 10)
		time.Sleep(giveUp * 8 / 10)
		if s := r.Status(); s.State != Delivering || s.Parked != 1 || len(m.letters()) > 0 {
			t.Errorf("before its time: %+v, %d letters", s, len(m.letters()))
		}
		time.Sleep(giveUp * 2 / 10)
		if n := len(m.letters()); n != 1 {
			t.Errorf("%d dead letters when its time was over", n)
		}
	})
}

// TestTheNextEventOfAParkedJobHasItsTime, also where a crash comes just after the one before it was taken.
func TestTheNextEventOfAParkedJobHasItsTime(t *testing.T) {
	inBubble(t, func(m *model) {
		to := &receiver{}
		to.refuses(false)
		_, conn, stop := m.relays("a", to, givesUp)
		m.tell(1, 1)
		m.busy(giveUp * 9 / 10)
		to.set(func(e *Event) error {
			if e.ID == message(1, 2).ID {
				return &Refusal{Reason: "HTTP 500", Status: 500}
			}
			return nil
		})
		for len(to.ids(1)) == 0 {
			m.busy(time.Second)
		}
		conn.Cut()
		stop()
		m.relays("a", to, givesUp)
		m.busy(giveUp * 9 / 10)
		if letters := m.letters(); len(letters) > 0 {
			t.Errorf("given up before its time: %+v", letters)
		}
		m.busy(giveUp * 2 / 10)
		if n := len(m.letters()); n != 1 {
			t.Errorf("%d dead letters when its time was over", n)
		}
	})
}

// TestADeadLetterIsWrittenOnceAndFirst: a crash between the letter and what settles the event leaves one letter.
func TestADeadLetterIsWrittenOnceAndFirst(t *testing.T) {
	inBubble(t, func(m *model) {
		to := &receiver{}
		to.refuses(false)
		written := make(chan bool)
		var conn *modelbroker.Conn
		_, conn, stop := m.relaysBehind("a", to, func(ctx context.Context, c modelbroker.Call) error {
			if c.Operation == "Append" && strings.Contains(c.Subject, ".dead.") && c.End {
				close(written)
				<-ctx.Done()
				return context.Cause(ctx)
			}
			return nil
		}, givesUp)
		m.tell(1)
		busy := make(chan bool)
		go func() {
			defer close(busy)
			m.busy(3 * giveUp)
		}()
		select {
		case <-written:
		case <-busy:
			t.Fatal("nothing was given up")
		}
		conn.Cut()
		stop()
		m.relays("b", to, givesUp)
		<-busy
		if letters := m.letters(); len(letters) != 1 || letters[0].ID != message(1, 1).ID {
			t.Fatalf("got %+v", letters)
		}
		if s := m.status(); s.Parked != 0 || s.Dead != 1 {
			t.Errorf("got %+v", s)
		}
		to.set(nil)
		m.tell(1)
		time.Sleep(time.Minute)
		if ids := to.ids(1); len(ids) != 1 || ids[0] != message(1, 2).ID {
			t.Errorf("of its job were delivered: %s", ids)
		}
	})
}
