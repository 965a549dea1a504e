package webhook

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"jobwatch/internal/config"
	"jobwatch/internal/relay"
	"jobwatch/internal/stream"
	"jobwatch/internal/testing/nameserver"
	"jobwatch/internal/testing/slow"
)

// TestFire has the receiver fail in every way that leaves an event deliverable, while the relay's process is killed: each
// event is delivered, in its job's order, and none becomes a dead letter. JOBWATCH_FIRE=200 kills it so many times.
func TestFire(t *testing.T) {
	slow.Test(t, "1 min", "a killed relay's place is taken over when its lease is over")
	kills := 2
	if more, err := strconv.Atoi(os.Getenv("JOBWATCH_FIRE")); err == nil {
		kills = more
	}
	w := newFireWorld(t)
	const jobs, each = 40, 12
	w.tell(jobs, each)
	r := newFireReceiver(t, w.secret)
	child := w.startRelay(r.server.URL)
	for n := range kills {
		goal := jobs * each * (n + 1) / (kills + 1)
		until(t, fmt.Sprintf("%d events are taken", goal), func() bool { return r.distinct() >= goal })
		child.kill()
		child = w.startRelay(r.server.URL)
	}
	until(t, "all events are taken", func() bool { return r.distinct() == jobs*each }, func() string { return fmt.Sprintf("%+v", w.status(t)) })
	until(t, "nothing waits", func() bool { return w.status(t).Pending == 0 })
	child.kill()
	if dead := w.status(t).Dead; dead > 0 {
		t.Errorf("%d dead letters, of what time alone delivered", dead)
	}
	r.judge(t, kills*concurrencyUnderFire)
}

const concurrencyUnderFire = 16

// TestTurnedOff: after a 410 nothing more is sent until somebody turns the relay on, and nothing is lost by it.
func TestTurnedOff(t *testing.T) {
	slow.Test(t, "10 s", "a relay that was turned on is noticed at the next beat")
	w := newFireWorld(t)
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
	w := newFireWorld(t)
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

// fireWorld is a NATS server with a stream, and events in it.
type fireWorld struct {
	t      *testing.T
	server *stream.Embedded
	broker *stream.Broker
	secret string         // a file
	last   map[int]uint64 // stream sequence of each job's last event
	number map[int]int
}

func newFireWorld(t *testing.T) *fireWorld {
	t.Helper()
	server, err := stream.StartEmbedded(stream.EmbeddedConfig{Listen: "127.0.0.1:0", Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	w := &fireWorld{t: t, server: server, secret: file(t, "secret", secretOf("f")), last: map[int]uint64{}, number: map[int]int{}}
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
func (w *fireWorld) tell(jobs, each int) {
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
		Name: "ops", Subjects: []string{"jobs.>"}, Start: relay.Start{All: true}, Timeout: time.Second, Concurrency: concurrencyUnderFire,
		Destination: to, Broker: b, Stream: "JOBS", Host: "here", Log: slog.New(slog.DiscardHandler),
	}
}

// relays relays in this process.
func (w *fireWorld) relays(t *testing.T, c Config) {
	t.Helper()
	runs(t, relay.New(relayConfig(w.broker, newWebhook(t, c))).Run)
}

func (w *fireWorld) status(t *testing.T) relay.Status {
	t.Helper()
	all, err := relay.Statuses(t.Context(), w.broker, "JOBS", "", []string{"ops"})
	if err != nil {
		t.Fatal(err)
	}
	return all[0]
}

// fireChild is a process that relays, and nothing else.
type fireChild struct{ command *exec.Cmd }

const fireEnv = "JOBWATCH_FIRE_CHILD" // NATS, the receiver and the secret's file

// TestMain is also that process.
func TestMain(m *testing.M) {
	if told := os.Getenv(fireEnv); told != "" {
		relayUnderFire(strings.Fields(told))
	}
	os.Exit(m.Run())
}

func (w *fireWorld) startRelay(receiver string) *fireChild {
	w.t.Helper()
	c := exec.CommandContext(w.t.Context(), os.Args[0])
	c.Env = append(os.Environ(), fmt.Sprintf("%s=%s %s %s", fireEnv, w.server.ClientURL(), receiver, w.secret))
	c.Stderr = os.Stderr
	if err := c.Start(); err != nil {
		w.t.Fatal(err)
	}
	child := &fireChild{c}
	w.t.Cleanup(child.kill)
	return child
}

func (c *fireChild) kill() {
	_ = c.command.Process.Kill()
	_ = c.command.Wait()
}

func relayUnderFire(told []string) {
	to, err := New(Config{
		URL: told[1], AllowHTTP: true, Allow: loopback, SecretFiles: []string{told[2]}, Timeout: time.Second, ReadSecret: config.ReadSecret,
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	b := stream.New(stream.Config{URL: told[0], Log: slog.New(slog.DiscardHandler)})
	go func() { _ = b.Run(context.Background()) }()
	_ = relay.New(relayConfig(b, to)).Run(context.Background())
}

// fireReceiver takes events, and fails in between in every way.
type fireReceiver struct {
	server   *httptest.Server
	verifier *standardwebhooks.Webhook

	mu       sync.Mutex
	taken    []string  // event ids as they arrived
	again    int       // that were taken without the relay knowing
	unsigned int       // requests whose signature was wrong
	lockout  time.Time // until then everybody gets 401
}

func newFireReceiver(t *testing.T, secretFile string) *fireReceiver {
	t.Helper()
	secret, err := config.ReadSecret("secret", secretFile)
	if err != nil {
		t.Fatal(err)
	}
	r := &fireReceiver{}
	if r.verifier, err = standardwebhooks.NewWebhook(secret); err != nil {
		t.Fatal(err)
	}
	r.server = receiver(t, r.handle)
	return r
}

func (r *fireReceiver) handle(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return // the relay was killed: nothing whole was sent
	}
	var event struct{ ID string }
	if r.verifier.Verify(body, req.Header) != nil || json.Unmarshal(body, &event) != nil || event.ID != req.Header.Get("Webhook-Id") {
		r.mu.Lock()
		r.unsigned++
		r.mu.Unlock()
	}
	if r.locked() {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	switch rand.IntN(60) {
	case 0:
		w.WriteHeader(http.StatusInternalServerError)
	case 1:
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
	case 2:
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
	case 3:
		http.Redirect(w, req, "/elsewhere", http.StatusFound)
	case 4:
		w.WriteHeader(http.StatusNotFound)
	case 5:
		r.take(event.ID, true)
		panic(http.ErrAbortHandler) // it was taken, and the connection is cut
	case 6:
		r.take(event.ID, true)
		<-req.Context().Done() // it was taken, and no answer comes
	case 7:
		<-req.Context().Done()
	default:
		r.take(event.ID, false)
	}
}

// locked refuses everybody for three seconds once a hundred events were taken, as after a password was changed.
func (r *fireReceiver) locked() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.lockout.IsZero() && len(r.taken) >= 100 {
		r.lockout = time.Now().Add(3 * time.Second)
	}
	return time.Now().Before(r.lockout)
}

func (r *fireReceiver) take(id string, unknown bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.taken = append(r.taken, id)
	if unknown {
		r.again++
	}
}

func (r *fireReceiver) distinct() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	ids := map[string]bool{}
	for _, id := range r.taken {
		ids[id] = true
	}
	return len(ids)
}

// judge holds what arrived against what was told: in each job's order, with as few repeats as there were reasons for.
func (r *fireReceiver) judge(t *testing.T, underWay int) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	last, seen, repeats := map[int]int{}, map[string]bool{}, 0
	for _, id := range r.taken {
		if seen[id] {
			repeats++
			continue
		}
		seen[id] = true
		n, err := strconv.Atoi(strings.TrimLeft(id[len("q7m2xk3vb9t4hs6c-"):], "0"))
		if err != nil {
			t.Fatal(err)
		}
		if job, number := n/1000, n%1000; number != last[job]+1 {
			t.Errorf("job %d: event %d after %d", job, number, last[job])
		} else {
			last[job] = number
		}
	}
	t.Logf("%d arrivals, %d repeats, of which %d for want of an answer", len(r.taken), repeats, r.again)
	if repeats > r.again+underWay {
		t.Errorf("%d repeats; %d had no answer, and at most %d were under way at kills", repeats, r.again, underWay)
	}
	if r.unsigned > 0 {
		t.Errorf("%d requests that nobody signed", r.unsigned)
	}
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
