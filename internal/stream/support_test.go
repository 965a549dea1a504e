package stream

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
)

// startServer runs a NATS server that is not ours, on a free port.
func startServer(t *testing.T, change ...func(*server.Options)) *server.Server {
	t.Helper()
	opts := &server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true,
	}
	for _, f := range change {
		f(opts)
	}
	srv, err := server.NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	if !srv.ReadyForConnections(10 * time.Second) {
		t.Fatal("server takes no connections")
	}
	t.Cleanup(func() {
		srv.Shutdown()
		srv.WaitForShutdown()
	})
	return srv
}

// run runs a broker until the test ends.
func run(t *testing.T, cfg Config) *Broker {
	t.Helper()
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	b := New(cfg)
	runs(t, b.Run)
	return b
}

// runs runs a loop until the test ends.
func runs(t *testing.T, loop func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- loop(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(time.Minute):
			t.Error("Run did not end with its context")
		}
	})
}

// use runs a broker on the server and waits until it is ready.
func use(t *testing.T, srv *server.Server, change ...func(*Config)) *Broker {
	t.Helper()
	cfg := Config{URL: srv.ClientURL()}
	for _, f := range change {
		f(&cfg)
	}
	b := run(t, cfg)
	ready(t, b)
	return b
}

func ready(t *testing.T, b *Broker) (lost <-chan struct{}) {
	t.Helper()
	lost, err := b.Ready(soon(t))
	if err != nil {
		t.Fatalf("Ready: %v (%v)", err, b.LastError())
	}
	return lost
}

// admin is a connection of its own, without any of the broker's conditions.
func admin(t *testing.T, b *Broker) jetstream.JetStream {
	t.Helper()
	s, err := b.current(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	return s.js
}

func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func await(t *testing.T, what string, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatalf("waited a minute for %s", what)
	}
}

// until waits for a condition that no channel tells.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(time.Minute); !holds(); {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("waited a minute until %s", what)
		}
	}
}

// event is the n-th message of a job; the expected sequence is what the test says.
func event(job int, id string, expect uint64) Outgoing {
	return Outgoing{
		Subject: fmt.Sprintf("jobs.prod.%d.fall.state.running", job), Filter: fmt.Sprintf("jobs.prod.%d.>", job),
		ID: id, ExpectLast: expect, Data: []byte(`{"id":"` + id + `"}`),
	}
}

func publish(t *testing.T, b *Broker, m Outgoing) uint64 {
	t.Helper()
	seq, err := b.Publish(soon(t), m)
	if err != nil {
		t.Fatalf("publish %s: %v", m.ID, err)
	}
	return seq
}

// fill publishes n messages of as many jobs, which get the sequences from 1 on.
func fill(t *testing.T, b *Broker, n int) {
	t.Helper()
	for i := range n {
		publish(t, b, event(i+1, fmt.Sprintf("id-%d", i+1), 0))
	}
}

// logbook keeps what is logged.
type logbook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logbook) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

func (l *logbook) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), text)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
