package relay

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"jobwatch/internal/stream"
	"jobwatch/internal/testing/slow"
)

// What the process that is killed does, by its environment: relay, plain.
const (
	childKind     = "JOBWATCH_RELAY_CHILD"
	childNATS     = "JOBWATCH_RELAY_NATS"
	childReceiver = "JOBWATCH_RELAY_RECEIVER"
)

const (
	killSlots  = 16
	killWindow = 512 // of the plain consumer, as a careful author would set it
)

func TestMain(m *testing.M) {
	switch os.Getenv(childKind) {
	case "relay":
		relayChild()
	case "plain":
		plainChild()
	default:
		os.Exit(m.Run())
	}
}

// poster is the smallest destination that posts.
type poster struct{ url string }

func (p poster) Deliver(ctx context.Context, b Batch) (done int, err error) {
	for _, e := range b.Events {
		if err := post(ctx, p.url, e.ID, e.Data); err != nil {
			return done, err
		}
		done++
	}
	return done, nil
}

func post(ctx context.Context, url, id string, data []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(data))
	if err != nil {
		return err
	}
	request.Header.Set("Webhook-Id", id)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	if response.StatusCode != http.StatusOK {
		return &Refusal{Reason: response.Status, Status: response.StatusCode}
	}
	return nil
}

func relayChild() {
	ctx := context.Background()
	http.DefaultTransport.(*http.Transport).MaxIdleConnsPerHost = killSlots
	b := stream.New(stream.Config{URL: os.Getenv(childNATS), Log: slog.New(slog.DiscardHandler)})
	go func() { _ = b.Run(ctx) }()
	r := New(Config{
		Name: "ops", Subjects: []string{"jobs.>"}, Start: Start{All: true}, Concurrency: killSlots, Timeout: 15 * time.Second,
		Destination: poster{os.Getenv(childReceiver)},
		Broker:      b, Stream: "JOBS", Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	_ = r.Run(ctx)
}

// plainChild is a durable consumer as its documentation has it, with a pool of workers.
func plainChild() {
	http.DefaultTransport.(*http.Transport).MaxIdleConnsPerHost = killSlots
	nc, err := nats.Connect(os.Getenv(childNATS))
	if err != nil {
		panic(err)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		panic(err)
	}
	c, err := js.CreateOrUpdateConsumer(context.Background(), "JOBS", jetstream.ConsumerConfig{
		Durable: "plain", AckPolicy: jetstream.AckExplicitPolicy, AckWait: 3 * time.Second, MaxAckPending: killWindow,
	})
	if err != nil {
		panic(err)
	}
	slots := make(chan bool, killSlots)
	_, err = c.Consume(func(m jetstream.Msg) {
		slots <- true
		go func() {
			defer func() { <-slots }()
			if post(context.Background(), os.Getenv(childReceiver), m.Headers().Get("Nats-Msg-Id"), m.Data()) == nil {
				_ = m.Ack()
			}
		}()
	})
	if err != nil {
		panic(err)
	}
	select {}
}

// inbox is a receiver that remembers the ids it was sent, in their order.
type inbox struct {
	mu  sync.Mutex
	ids []string
}

func (i *inbox) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.ids = append(i.ids, r.Header.Get("Webhook-Id"))
}

func (i *inbox) all() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return append([]string(nil), i.ids...)
}

func (i *inbox) count() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.ids)
}

// child starts a process that takes the stream's events to a receiver.
func (w *world) child(kind, receiver string) *exec.Cmd {
	w.t.Helper()
	child := exec.CommandContext(context.Background(), os.Args[0])
	child.Env = append(os.Environ(), childKind+"="+kind, childNATS+"="+w.server.ClientURL(), childReceiver+"="+receiver)
	child.Stderr = os.Stderr
	if err := child.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = child.Process.Kill(); _ = child.Wait() })
	return child
}

func (i *inbox) distinct() int {
	set := map[string]bool{}
	for _, id := range i.all() {
		set[id] = true
	}
	return len(set)
}

// killed has a process take all events to the inbox, and kills it again and again on the way.
func killed(t *testing.T, kind string, events, jobs, kills int) (w *world, ids []string) {
	t.Helper()
	w = newWorld(t)
	for n := range events {
		w.tell(n%jobs + 1)
	}
	to := &inbox{}
	receiver := httptest.NewServer(to)
	t.Cleanup(receiver.Close)
	start := func() *exec.Cmd { return w.child(kind, receiver.URL) }
	for n := range kills {
		child := start()
		reach := events*(n+1)/(kills+1) - rand.IntN(events/(2*kills+2))
		until(t, fmt.Sprintf("%d events have arrived", reach), func() bool { return to.count() >= reach })
		_ = child.Process.Kill()
		_ = child.Wait()
	}
	start()
	until(t, "all have arrived", func() bool { return to.count() >= events && to.distinct() == events })
	return w, to.all()
}

// TestRelayKill kills a relay on its way through a backlog: JOBWATCH_RELAY_KILLS=40 is the long form.
func TestRelayKill(t *testing.T) {
	slow.Test(t, "40 s", "a lease ends, and a consumer waits, in real time")
	kills, events, jobs := 3, 4_000, 400
	if long, err := strconv.Atoi(os.Getenv("JOBWATCH_RELAY_KILLS")); err == nil {
		kills, events, jobs = long, 20_000, 2_000
	}
	w, ids := killed(t, "relay", events, jobs, kills)
	repeats := inOrder(t, ids, w.number)
	t.Logf("%d kills, %d events of %d jobs: %d repeats", kills, events, jobs, repeats)
	if most := kills * killSlots; repeats > most {
		t.Errorf("%d repeats; at most %d were under way", repeats, most)
	}
}

// TestAPlainConsumerFailsTheKillTest holds the judge to what a relay is there for.
func TestAPlainConsumerFailsTheKillTest(t *testing.T) {
	slow.Test(t, "10 s", "a consumer waits in real time")
	_, ids := killed(t, "plain", 4_000, 400, 3)
	if n := inversions(ids); n == 0 {
		t.Error("a plain consumer kept the order: the kill test shows nothing")
	} else {
		t.Logf("%d events came after a later one of their job", n)
	}
}

func inversions(ids []string) (n int) {
	highest, seen := map[string]string{}, map[string]bool{}
	for _, id := range ids {
		if seen[id] {
			continue
		}
		seen[id] = true
		job := id[:len(id)-3]
		if id < highest[job] {
			n++
		}
		highest[job] = max(highest[job], id)
	}
	return n
}
