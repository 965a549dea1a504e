package web

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/robfig/cron/v3"

	"jobwatch/internal/commvault"
	"jobwatch/internal/event"
	"jobwatch/internal/failpoint"
	"jobwatch/internal/job"
	"jobwatch/internal/metrics"
	"jobwatch/internal/poller"
	"jobwatch/internal/publish"
	"jobwatch/internal/store"
	"jobwatch/internal/store/storetest"
	"jobwatch/internal/stream"
)

// commServe answers as it is told to.
type commServe struct {
	mu   sync.Mutex
	jobs map[int64]job.Snapshot
	down error // the answer to everything instead
	busy error // the answer about each job instead
	raw  func(context.Context, int64) (commvault.Raw, error)
}

var errAway = &commvault.Error{Operation: "JobDetails", Kind: commvault.Unreachable, Err: errors.New("connection refused")}

// is has the CommServe know a job from now on as given.
func (c *commServe) is(s job.Snapshot) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.CommCell = "prod"
	s.Settle()
	c.jobs[s.Number] = s
}

func (c *commServe) goes(down error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down = down
}

func (c *commServe) JobDetails(_ context.Context, number int64) (job.Observation, error) {
	asked := time.Now().UTC()
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := cmp.Or(c.down, c.busy); err != nil {
		return job.Observation{}, err
	}
	s, known := c.jobs[number]
	if !known {
		return job.Observation{}, commvault.ErrUnknownJob
	}
	return job.Observation{Snapshot: s, Asked: asked, Answered: time.Now().UTC()}, nil
}

// RawDetails is of a test's own making, or a short answer.
func (c *commServe) RawDetails(ctx context.Context, number int64) (commvault.Raw, error) {
	c.mu.Lock()
	raw := c.raw
	c.mu.Unlock()
	if raw != nil {
		return raw(ctx, number)
	}
	now := time.Now().UTC()
	return commvault.Raw{Asked: now, Answered: now, JSON: json.RawMessage(`{"job":{}}`)}, nil
}

func (c *commServe) says(raw func(context.Context, int64) (commvault.Raw, error)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.raw = raw
}

func (c *commServe) List(_ context.Context, _ time.Duration, yield func([]commvault.Line) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down != nil {
		return c.down
	}
	var lines []commvault.Line
	for number, s := range c.jobs {
		lines = append(lines, commvault.Line{Number: number, Status: s.State, EndTime: s.EndTime})
	}
	return yield(lines)
}

// world is a whole watcher around a Server: real NATS, real store, both loops. A test polls by hand.
type world struct {
	testing.TB
	dir    string
	nats   *stream.Embedded // nil while it is stopped
	listen string           // of NATS

	commServe *commServe
	store     *store.Store
	diskFull  atomic.Bool
	poller    *poller.Poller
	quota     atomic.Pointer[commvault.Quota]
	server    *Server
	stop      func() // the server
	url       string
	wire      wire
	token     string
	client    *http.Client
}

// wire counts what goes over a listener's connections: bytes to clients, and lines that they ask for.
type wire struct{ sent, lines atomic.Int64 }

type counting struct {
	net.Listener
	on *wire
}

type countingConn struct {
	net.Conn
	on *wire
}

func (l counting) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	return countingConn{conn, l.on}, err
}

func (c countingConn) Read(data []byte) (int, error) {
	n, err := c.Conn.Read(data)
	c.on.lines.Add(int64(bytes.Count(data[:n], []byte("GET /api/v1/live"))))
	return n, err
}

func (c countingConn) Write(data []byte) (int, error) {
	n, err := c.Conn.Write(data)
	c.on.sent.Add(int64(n))
	return n, err
}

func newWorld(t testing.TB, edits ...func(*Config)) *world {
	return newWorldIn(t, t.TempDir(), edits...)
}

// newWorldIn is a world whose store may be in the folder already.
func newWorldIn(t testing.TB, dir string, edits ...func(*Config)) *world {
	w := &world{TB: t, dir: dir, commServe: &commServe{jobs: map[int64]job.Snapshot{}}, client: &http.Client{}}
	w.listen = "127.0.0.1:0"
	w.startNATS()
	t.Cleanup(w.stopNATS)
	var err error
	w.store, err = store.Open(filepath.Join(w.dir, "watcher.db"), event.NewMinter(nil))
	w.must(err)
	t.Cleanup(func() { w.store.Close() })
	storetest.Hook(w.store, func(p failpoint.Point) error { // set before anybody writes
		if p == failpoint.BeforeCommit && w.diskFull.Load() {
			return errors.New("no space left on device")
		}
		return nil
	})
	schedule, err := cron.ParseStandard("@every 30s")
	w.must(err)
	meters := metrics.New("test")
	w.store.Took = meters.Committed
	meter := meters.CommCell("prod")
	meter.ReadQuota(func() commvault.Quota { return *w.quota.Load() })
	w.quota.Store(&commvault.Quota{Period: time.Hour})
	w.poller = poller.New(poller.Config{
		CommCell: "prod", Source: w.commServe, Store: w.store, Schedule: schedule, Discover: true, AskRaw: w.commServe.RawDetails,
		Meter: meter, Log: slog.New(slog.DiscardHandler),
	})
	broker := stream.New(stream.Config{
		URL: w.nats.ClientURL(), CheckEvery: 20 * time.Millisecond, Log: slog.New(slog.DiscardHandler),
	})
	publisher := publish.New(publish.Config{
		Store: w.store, Broker: broker, Round: 100 * time.Millisecond, Log: slog.New(slog.DiscardHandler),
	})
	board := &stream.Board{Holds: time.Nanosecond}
	meters.Read(metrics.Sources{Broker: broker, Board: board, Store: w.store, Publisher: publisher, Pollers: func() []*poller.Poller { return []*poller.Poller{w.poller} }})
	w.runs(broker.Run)
	w.runs(publisher.Run)
	c := Config{
		Listen: "127.0.0.1:0", Store: w.store, Broker: broker, Publisher: publisher, Pollers: func() []*poller.Poller { return []*poller.Poller{w.poller} },
		Board: board, Metrics: meters.Handler(), Meters: meters, Version: "test", Log: slog.New(slog.DiscardHandler),
	}
	for _, edit := range edits {
		edit(&c)
	}
	w.token = c.Token
	w.serve(c)
	return w
}

func (w *world) serve(c Config) {
	w.Helper()
	listener, err := c.Bind()
	w.must(err)
	c.Listen = listener.Addr().String()
	w.url = "http://" + c.Listen
	if c.TLS != nil {
		w.url = "https://" + c.Listen
	}
	w.server = New(c)
	if c.TLS == nil { // else net/http would not see that it is TLS
		listener = counting{listener, &w.wire}
	}
	w.stop = w.runs(func(ctx context.Context) error { return w.server.Run(ctx, listener) })
}

// runs runs a loop until it is stopped, or the test ends.
func (w *world) runs(loop func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- loop(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			w.Error(err)
		}
	})
	w.Cleanup(stop)
	return stop
}

func (w *world) startNATS() {
	w.Helper()
	var err error
	w.nats, err = stream.StartEmbedded(stream.EmbeddedConfig{Listen: w.listen, Dir: filepath.Join(w.dir, "nats")})
	w.must(err)
	w.listen = strings.TrimPrefix(w.nats.ClientURL(), "nats://")
}

func (w *world) stopNATS() {
	if w.nats != nil {
		w.nats.Close()
		w.nats = nil
	}
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) poll() {
	w.Helper()
	w.must(w.poller.Cycle(w.Context()))
}

// sees has the CommServe know a job, and polls.
func (w *world) sees(s job.Snapshot) {
	w.Helper()
	w.commServe.is(s)
	w.poll()
}

// sent waits until every event is in the stream.
func (w *world) sent() {
	w.Helper()
	w.until("all events are sent", func() bool { return w.store.Unsent() == 0 })
}

func (w *world) until(what string, holds func() bool) {
	w.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.Fatalf("waited in vain: %s", what)
		}
	}
}

// get asks as whoever holds the token.
func (w *world) get(path string) (int, string) {
	w.Helper()
	code, body, _ := w.ask(http.MethodGet, path, func(r *http.Request) {
		if w.token != "" {
			r.Header.Set("Authorization", "Bearer "+w.token)
		}
	})
	return code, body
}

func (w *world) ask(method, path string, edit func(*http.Request)) (int, string, http.Header) {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), 30*time.Second) // an answer that should be none may have no end
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, w.url+path, nil)
	w.must(err)
	if edit != nil {
		edit(r)
	}
	response, err := w.client.Do(r)
	w.must(err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	w.must(err)
	return response.StatusCode, string(body), response.Header
}

// getJSON wants 200 and decodes.
func (w *world) getJSON(path string, into any) {
	w.Helper()
	code, body := w.get(path)
	if code != http.StatusOK {
		w.Fatalf("%s: %d %s", path, code, body)
	}
	if err := json.Unmarshal([]byte(body), into); err != nil {
		w.Fatalf("%s: %v in %s", path, err, body)
	}
}

func running(number int64) job.Snapshot {
	percent := 41.5
	return job.Snapshot{
		Number: number, State: "Running", Phase: "Backup", Client: job.Text(fmt.Sprintf("client-%d", number)), PercentComplete: &percent,
	}
}

func ended(number int64, state job.Text, at time.Time) job.Snapshot {
	return job.Snapshot{Number: number, State: state, Client: "fall", EndTime: &at}
}
