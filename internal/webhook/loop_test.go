package webhook

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"jobwatch/internal/relay"
	"jobwatch/internal/stream"
	"jobwatch/internal/testing/nameserver"
	"jobwatch/internal/testing/slow"
)

const slots = 16

// TestTurnedOff: after a 410 nothing more is sent until somebody turns the relay on, and nothing is lost by it.
func TestTurnedOff(t *testing.T) {
	slow.Test(t, "10 s", "a relay that was turned on is noticed at the next beat")
	w := newLoopWorld(t)
	w.tell(5, 2)
	var mu sync.Mutex
	asked, gone := 0, true
	s := receiver(t, func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if asked++; gone {
			w.WriteHeader(http.StatusGone)
		}
	})
	w.relays(t, Config{URL: s.URL, AllowHTTP: true})
	until(t, "it is off", func() bool { return w.status(t).State == relay.Off })
	mu.Lock()
	gone, asked = false, 0
	mu.Unlock()
	if err := relay.TurnOn(t.Context(), w.broker, "JOBS", "ops"); err != nil {
		t.Fatal(err)
	}
	until(t, "all is delivered", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return asked == 10
	})
}

// TestANameThatTurnsUnderWay: while the receiver's name leads to this machine nothing is sent, nothing is lost. The receiver
// would take it: 0.0.0.0 is another address of the same listener, also where there is 127.0.0.1 alone.
func TestANameThatTurnsUnderWay(t *testing.T) {
	slow.Test(t, "15 s", "a destination that was away is tried again after pauses")
	w := newLoopWorld(t)
	w.tell(5, 1)
	received := make(chan string, 100)
	s := listenEverywhere(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close") // or the next event would go by the same one
		received <- r.Header.Get("Webhook-Id")
	})
	names := nameserver.New(t)
	names.LeadsTo("0.0.0.0")
	_, port, _ := strings.Cut(s.Listener.Addr().String(), ":")
	w.relays(t, Config{
		URL: "http://hooks.example.com:" + port, AllowHTTP: true, Resolver: names.Resolver(), Allow: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/32")},
	})
	until(t, "the first are delivered", func() bool { return len(received) == 5 })
	names.LeadsTo("127.0.0.1")
	w.tell(5, 1)
	until(t, "it is away", func() bool {
		return w.status(t).State == relay.Absent && strings.Contains(w.status(t).Reason, "write allow: [127.0.0.0/8]")
	})
	if len(received) != 5 {
		t.Errorf("%d events were sent to another address", len(received)-5)
	}
	names.LeadsTo("0.0.0.0")
	until(t, "all is delivered", func() bool { return len(received) == 10 })
}

func listenEverywhere(t *testing.T, handle http.HandlerFunc) *httptest.Server {
	t.Helper()
	l, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(handle)
	s.Listener.Close()
	s.Listener = l
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// loopWorld is a NATS server with a stream and events in it, for a webhook behind the real loop.
type loopWorld struct {
	t      *testing.T
	server *stream.Embedded
	broker *stream.Broker
	last   map[int]uint64 // stream sequence of each job's last event
	number map[int]int
}

func newLoopWorld(t *testing.T) *loopWorld {
	t.Helper()
	server, err := stream.StartEmbedded(stream.EmbeddedConfig{Listen: "127.0.0.1:0", Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	w := &loopWorld{t: t, server: server, last: map[int]uint64{}, number: map[int]int{}}
	w.broker = connect(t, server.ClientURL())
	return w
}

func connect(t testing.TB, url string) *stream.Broker {
	t.Helper()
	b := stream.New(stream.Config{URL: url, Log: slog.New(slog.DiscardHandler)})
	runs(t, b.Run)
	if _, err := b.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b
}

// runs runs a loop until the test ends.
func runs(t testing.TB, loop func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = loop(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
}

// tell publishes events, of each job in turn.
func (w *loopWorld) tell(jobs, each int) {
	w.t.Helper()
	for range each {
		for n := 1; n <= jobs; n++ { // there is no job 0
			w.number[n]++
			subject := fmt.Sprintf("jobs.prod.%d", n)
			id := fmt.Sprintf("q7m2xk3vb9t4hs6c-%012d", n*1000+w.number[n])
			data := strings.Replace(completed, `"id":"q7m2xk3vb9t4hs6c-000000000003"`, fmt.Sprintf(`"id":%q`, id), 1)
			sequence, err := w.broker.Publish(w.t.Context(), stream.Outgoing{
				Subject: subject + ".fall.state.completed", Filter: subject + ".>", ID: id, ExpectLast: w.last[n], Data: []byte(data),
			})
			if err != nil {
				w.t.Fatal(err)
			}
			w.last[n] = sequence
		}
	}
}

func relayConfig(b *stream.Broker, to relay.Destination) relay.Config {
	return relay.Config{
		Name: "ops", Subjects: []string{"jobs.>"}, Start: relay.Start{All: true}, Timeout: time.Second, Concurrency: slots,
		Destination: to, Broker: b, Stream: "JOBS", Host: "here", Log: slog.New(slog.DiscardHandler),
	}
}

// relays relays in this process.
func (w *loopWorld) relays(t *testing.T, c Config) {
	t.Helper()
	runs(t, relay.New(relayConfig(w.broker, newWebhook(t, c))).Run)
}

func (w *loopWorld) status(t *testing.T) relay.Status {
	t.Helper()
	all, err := relay.Statuses(t.Context(), w.broker, "JOBS", "", []string{"ops"})
	if err != nil {
		t.Fatal(err)
	}
	return all[0]
}

func until(t *testing.T, what string, holds func() bool, got ...func() string) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Minute); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			for _, say := range got {
				t.Log(say())
			}
			t.Fatalf("never: %s", what)
		}
	}
}
