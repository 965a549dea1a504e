package relay

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"jobwatch/internal/testing/modelbroker"
)

// model is a relay's world in a bubble, where time passes when all wait.
type model struct {
	*modelbroker.Stream
	t      *testing.T
	last   map[int]uint64 // stream sequence of each job's last event
	number map[string]int
}

type gate = func(context.Context, modelbroker.Call) error

func inBubble(t *testing.T, test func(m *model)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m := &model{modelbroker.New(modelbroker.Config{}), t, map[int]uint64{}, map[string]int{}}
		m.connect() // makes the stream
		test(m)
	})
}

func (m *model) connect() *modelbroker.Conn {
	m.t.Helper()
	conn := m.Connect()
	if _, err := conn.Ready(m.t.Context()); err != nil {
		m.t.Fatal(err)
	}
	return conn
}

// tell stores the next event of a job: prod/7.
func (m *model) tell(jobs ...int) {
	m.t.Helper()
	for _, n := range jobs {
		job := fmt.Sprintf("prod/%d", n)
		m.number[job]++
		next := message(n, m.number[job])
		next.ExpectLast = m.last[n]
		sequence, _, err := m.Store(next)
		if err != nil {
			m.t.Fatal(err)
		}
		m.last[n] = sequence
	}
}

// relays runs a relay named ops, over a connection of its own.
func (m *model) relays(host string, to Destination, change ...func(*Config)) (r *Relay, conn *modelbroker.Conn, stop func()) {
	return m.relaysBehind(host, to, nil, change...)
}

func (m *model) relaysBehind(host string, to Destination, gate gate, change ...func(*Config)) (r *Relay, conn *modelbroker.Conn, stop func()) {
	conn = m.Connect()
	conn.Gate = gate
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
	all, err := Statuses(m.t.Context(), m.connect(), "JOBS", "", []string{"ops"})
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
