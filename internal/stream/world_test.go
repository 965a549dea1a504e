package stream_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"jobwatch/internal/stream"
	"jobwatch/internal/testing/brokertest"
)

// servers are what a world runs on, one or more.
type servers interface {
	start(*testing.T)
	stop()
	replicas() int
	url() string // of clients
	hasLeader(stream string) bool
	hear(subject string) bool // somebody takes it, as far as the server knows that clients are connected to
	agree(stream string) bool // each holds the same of it
	stored() string           // the directory of all that they store
}

// world is the real thing, for brokertest.
type world struct {
	servers
	stream string // its name
	wires  map[brokertest.Broker]*wire
	copy   string // of what the servers store
}

// newWorld is for one test, and leaves no stream behind. Each has a name of its own: a stream that is made, removed,
// made and removed again within milliseconds comes back with its old messages (nats-server 2.15.2, whose second removal
// finds the files of the first still there and gives up in silence).
func newWorld(t *testing.T, s servers) *world {
	w := &world{
		servers: s, stream: fmt.Sprintf("JOBS-%d", worlds.Add(1)),
		wires: map[brokertest.Broker]*wire{}, copy: filepath.Join(t.TempDir(), "copy"),
	}
	t.Cleanup(func() { w.dropBeside(t); w.Drop(t) })
	return w
}

var worlds atomic.Int64

func (w *world) Replicas() int { return w.replicas() }

func (w *world) Connect(t *testing.T) brokertest.Broker {
	wire := newWire(t)
	wire.lead(w.host())
	b := stream.New(stream.Config{URL: wire.url(), Stream: w.stream, Replicas: w.replicas(), Log: slog.New(slog.DiscardHandler),
		CheckEvery: time.Hour}) // else a check may find before a rule does that there is no stream
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	heard := &settledBroker{b, w.servers, t}
	w.wires[heard] = wire
	return heard
}

// settledBroker is a broker that is ready only when its server knows, too, who takes the stream's subjects. In a cluster it
// learns that from another, and answers a publish before that as if there were no stream.
type settledBroker struct {
	*stream.Broker
	by servers
	t  *testing.T
}

func (h *settledBroker) Ready(ctx context.Context) (lost <-chan struct{}, err error) {
	lost, err = h.Broker.Ready(ctx)
	if err == nil {
		until(h.t, "the server knows who takes jobs.>", func() bool { return h.by.hear("jobs.prod.1") })
	}
	return lost, err
}

func (w *world) host() string { return strings.TrimPrefix(w.url(), "nats://") }

func (w *world) PublishUnacknowledged(t *testing.T, through brokertest.Broker, m stream.Outgoing) error {
	wire := w.wires[through]
	wire.down.swallow()
	return w.publishAndCut(t, through, m, func() bool {
		held := false
		w.withStream(t, func(ctx context.Context, st jetstream.Stream) error {
			got, err := st.GetLastMsgForSubject(ctx, m.Subject)
			held = err == nil && got.Header.Get(jetstream.MsgIDHeader) == m.ID
			return nil
		})
		return held
	})
}

func (w *world) Unsent(t *testing.T, through brokertest.Broker, m stream.Outgoing) error {
	wire := w.wires[through]
	wire.up.swallow()
	return w.publishAndCut(t, through, m, wire.up.hasSwallowed)
}

// publishAndCut cuts the connection once it has come as far as it should.
func (w *world) publishAndCut(t *testing.T, through brokertest.Broker, m stream.Outgoing, far func() bool) error {
	done := make(chan error, 1)
	go func() {
		_, err := through.Publish(t.Context(), m)
		done <- err
	}()
	until(t, m.ID+" has come to where it gets lost", far)
	w.wires[through].cut()
	return <-done
}

func (w *world) Delete(t *testing.T, sequence uint64) {
	w.withStream(t, func(ctx context.Context, st jetstream.Stream) error { return st.DeleteMsg(ctx, sequence) })
	w.untilAgreed(t)
}

func (w *world) Purge(t *testing.T, filter string) {
	w.withStream(t, func(ctx context.Context, st jetstream.Stream) error {
		return st.Purge(ctx, jetstream.WithPurgeSubject(filter))
	})
	w.untilAgreed(t)
}

// untilAgreed waits for the servers that still hold what the first to answer has removed: a reading may come to any.
func (w *world) untilAgreed(t *testing.T) {
	t.Helper()
	until(t, "all servers hold the same", func() bool { return w.agree(w.stream) })
}

func (w *world) Drop(t *testing.T) {
	w.ask(t, func(ctx context.Context, js jetstream.JetStream) error { return js.DeleteStream(ctx, w.stream) })
}

func (w *world) Keep(t *testing.T) {
	w.whileStopped(t, func() error { return os.CopyFS(w.copy, os.DirFS(w.stored())) })
}

func (w *world) Restore(t *testing.T) {
	w.whileStopped(t, func() error {
		return errors.Join(os.RemoveAll(w.stored()), os.CopyFS(w.stored(), os.DirFS(w.copy)))
	})
}

func (w *world) whileStopped(t *testing.T, do func() error) {
	t.Helper()
	all := slices.DeleteFunc(append(w.beside(), w.stream), func(name string) bool { return !w.hasLeader(name) })
	w.stop()
	for _, wire := range w.wires {
		wire.cut()
	}
	if err := do(); err != nil {
		t.Fatal(err)
	}
	w.start(t)
	for _, wire := range w.wires {
		wire.lead(w.host())
	}
	for _, name := range all {
		until(t, name+" has a leader", func() bool { return w.hasLeader(name) })
	}
}

// PassWindow makes the window short until an id that is younger than all others is known no more. One change is not
// enough: the server may look at its ids before it has taken the new window up, and then not again for two minutes.
func (w *world) PassWindow(t *testing.T) {
	t.Helper()
	w.mark(t)
	short := 100 * time.Millisecond
	until(t, "the window has passed", func() bool {
		short++
		w.setWindow(t, short)
		return w.mark(t)
	})
	w.setWindow(t, 2*time.Minute)
}

// mark publishes a message that is always the same, and says whether it was stored.
func (w *world) mark(t *testing.T) (stored bool) {
	t.Helper()
	w.ask(t, func(ctx context.Context, js jetstream.JetStream) error {
		ack, err := js.Publish(ctx, "commcells.marker", nil, jetstream.WithMsgID("marker"))
		if err == nil {
			stored = !ack.Duplicate
		}
		return err
	})
	return stored
}

func (w *world) setWindow(t *testing.T, d time.Duration) {
	t.Helper()
	w.ask(t, func(ctx context.Context, js jetstream.JetStream) error {
		st, err := js.Stream(ctx, w.stream)
		if err != nil {
			return err
		}
		config := st.CachedInfo().Config
		config.Duplicates = d
		_, err = js.UpdateStream(ctx, config)
		return err
	})
}

func (w *world) withStream(t *testing.T, do func(context.Context, jetstream.Stream) error) {
	t.Helper()
	w.ask(t, func(ctx context.Context, js jetstream.JetStream) error {
		st, err := js.Stream(ctx, w.stream)
		if err != nil {
			return err
		}
		return do(ctx, st)
	})
}

// ask asks through a connection of its own, as an operator does; what a cluster can't do yet is asked again.
func (w *world) ask(t *testing.T, do func(context.Context, jetstream.JetStream) error) {
	t.Helper()
	nc, err := nats.Connect(w.url())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for {
		err := do(ctx, js)
		api := (*jetstream.APIError)(nil)
		if errors.As(err, &api) && api.Code == 503 && ctx.Err() == nil {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		return
	}
}

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

func (w *world) Unsettled(t *testing.T, through brokertest.Broker, settle func()) {
	wire := w.wires[through]
	wire.up.swallow()
	settle()
	until(t, "the settlement has come to where it gets lost", wire.up.hasSwallowed)
	wire.cut()
}

func (w *world) DeleteConsumer(t *testing.T, name string) {
	w.withStream(t, func(ctx context.Context, st jetstream.Stream) error { return st.DeleteConsumer(ctx, name) })
	until(t, "it is known to be gone", func() (gone bool) {
		w.withStream(t, func(ctx context.Context, st jetstream.Stream) error {
			_, err := st.Consumer(ctx, name)
			gone = errors.Is(err, jetstream.ErrConsumerNotFound)
			return nil
		})
		return gone
	})
}

func (w *world) PauseConsumer(t *testing.T, name string, to time.Time) {
	w.withStream(t, func(ctx context.Context, st jetstream.Stream) error {
		_, err := st.PauseConsumer(ctx, name, to)
		return err
	})
	until(t, "it is known to be paused, or not", func() (known bool) {
		w.withStream(t, func(ctx context.Context, st jetstream.Stream) error {
			c, err := st.Consumer(ctx, name)
			known = err == nil && c.CachedInfo().Paused == time.Now().Before(to)
			return nil
		})
		return known
	})
}

func (w *world) beside() []string {
	return []string{"KV_" + w.stream + "_RELAY_STATE", w.stream + "_RELAYS"}
}

// dropBeside removes the bucket and the log.
func (w *world) dropBeside(t *testing.T) {
	for _, name := range w.beside() {
		w.ask(t, func(ctx context.Context, js jetstream.JetStream) error {
			if err := js.DeleteStream(ctx, name); !errors.Is(err, jetstream.ErrStreamNotFound) {
				return err
			}
			return nil
		})
	}
}
