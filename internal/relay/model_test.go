package relay

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"jobwatch/internal/testing/modelbroker"
)

// model is a relay's world in a bubble, where time passes when all wait.
type model struct {
	*modelbroker.Stream
	t *testing.T
}

func inBubble(t *testing.T, test func(m *model)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(&model{modelbroker.New(modelbroker.Config{}), t}) })
}

// relays runs a relay named ops, over a connection of its own.
func (m *model) relays(host string, to Destination, change ...func(*Config)) (r *Relay, conn *modelbroker.Conn, stop func()) {
	conn = m.Connect()
	c := Config{
		Name: "ops", Subjects: []string{"jobs.>"}, Start: Start{All: true}, Destination: to, Broker: conn, Stream: "JOBS",
		Host: host, Log: slog.New(slog.DiscardHandler),
	}
	for _, f := range change {
		f(&c)
	}
	r = New(c)
	return r, conn, runs(m.t, r.Run)
}

// status is what anybody is told who asks.
func (m *model) status() Status {
	m.t.Helper()
	conn := m.Connect()
	if _, err := conn.Ready(m.t.Context()); err != nil {
		m.t.Fatal(err)
	}
	all, err := Statuses(m.t.Context(), conn, "JOBS", "", []string{"ops"})
	if err != nil {
		m.t.Fatal(err)
	}
	return all[0]
}

func TestTheStatusSaysWhenTheRelayWasLastHeardOf(t *testing.T) {
	inBubble(t, func(m *model) {
		if s := m.status(); s.Seen != nil || s.State != Starting {
			t.Errorf("before it ran: %+v", s)
		}
		_, conn, _ := m.relays("a", &receiver{})
		time.Sleep(time.Second)
		other, others, _ := m.relays("b", &receiver{})
		time.Sleep(time.Minute)
		if s := m.status(); s.State != Delivering || s.Holder != "a" || time.Since(*s.Seen) > beat {
			t.Errorf("while it delivers: %+v", s)
		}
		if s := other.Status(); s.State != Standby || s.Seen == nil || time.Since(*s.Seen) > 2*beat {
			t.Errorf("who waits: %+v", s)
		}
		conn.Cut()
		others.Cut()
		time.Sleep(3 * time.Minute)
		if s := m.status(); s.State != Delivering || s.Holder != "a" || time.Since(*s.Seen) < 3*time.Minute {
			t.Errorf("both are cut off: %+v", s)
		}
	})
}
