package publish

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"jobwatch/internal/diff"
	"jobwatch/internal/event"
	"jobwatch/internal/job"
	"jobwatch/internal/store"
	"jobwatch/internal/stream"
	"jobwatch/internal/testing/eventtest"
)

// world is a real NATS server and what one or more watchers have at it.
type world struct {
	t      *testing.T
	server *stream.Embedded
	dir    string
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, dir: t.TempDir()}
	w.startServer("127.0.0.1:0")
	t.Cleanup(w.stopServer)
	return w
}

func (w *world) startServer(listen string) {
	w.t.Helper()
	var err error
	w.server, err = stream.StartEmbedded(stream.EmbeddedConfig{Listen: listen, Dir: filepath.Join(w.dir, "nats")})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) stopServer() {
	if w.server != nil {
		w.server.Close()
		w.server = nil
	}
}

// broker is a connection of its own.
func (w *world) broker() *stream.Broker {
	w.t.Helper()
	b := stream.New(stream.Config{URL: w.server.ClientURL()})
	run(w.t, b.Run)
	return b
}

// run runs something until the test ends.
func run(t *testing.T, loop func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- loop(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(stop)
	return stop
}

// watcher is one watcher's store, with what it has seen.
type watcher struct {
	w     *world
	path  string
	store *store.Store
}

func (w *world) watcher(name string) *watcher {
	w.t.Helper()
	x := &watcher{w: w, path: filepath.Join(w.dir, name)}
	x.open()
	w.t.Cleanup(func() { x.store.Close() })
	return x
}

func (x *watcher) open() {
	x.w.t.Helper()
	var err error
	if x.store, err = store.Open(x.path, event.NewMinter(nil)); err != nil {
		x.w.t.Fatal(err)
	}
}

// restart is a crash and a start: what was in memory only is gone.
func (x *watcher) restart() {
	x.w.t.Helper()
	x.store.Close()
	x.open()
}

// spoils overwrites a letter of the first unsent event in the file.
func (x *watcher) spoils() {
	x.w.t.Helper()
	x.store.Close()
	defer x.open()
	db, err := bbolt.Open(x.path, 0o600, nil)
	if err != nil {
		x.w.t.Fatal(err)
	}
	defer db.Close()
	err = db.Update(func(tx *bbolt.Tx) error {
		outbox := tx.Bucket([]byte("outbox"))
		key, row := outbox.Cursor().First()
		return outbox.Put(bytes.Clone(key), bytes.Replace(row, []byte(":"), []byte(" "), 1))
	})
	if err != nil {
		x.w.t.Fatal(err)
	}
}

// sees commits an observation, as the poller does.
func (x *watcher) sees(number int64, state, phase job.Text) {
	x.w.t.Helper()
	if err := x.commits(number, state, phase); err != nil {
		x.w.t.Fatal(err)
	}
}

func (x *watcher) commits(number int64, state, phase job.Text) error {
	seen := job.Snapshot{CommCell: "prod", Number: number, State: state, Phase: phase, Client: "fall"}
	seen.Settle()
	known, err := x.store.Recall(seen.JobID())
	if err != nil {
		return err
	}
	return x.store.Commit(store.PollResult{
		Known: known, Seen: job.Observation{Snapshot: seen, Asked: time.Now(), Answered: time.Now()},
		Changes: diff.Since(known.Told, &seen), NotBefore: known.Asked,
	})
}

func (x *watcher) publisher(b Broker) *Publisher {
	return New(Config{Store: x.store, Broker: b, Round: 100 * time.Millisecond})
}

// publishes runs a publisher until nothing waits.
func (x *watcher) publishes(b Broker) {
	x.w.t.Helper()
	stop := run(x.w.t, x.publisher(b).Run)
	x.w.until("all is sent", func() bool { return x.store.Unsent() == 0 })
	stop()
}

func (w *world) until(what string, holds func() bool) {
	w.t.Helper()
	deadline := time.After(20 * time.Second)
	for !holds() {
		select {
		case <-time.After(5 * time.Millisecond):
		case <-deadline:
			w.t.Fatalf("waited in vain: %s", what)
		}
	}
}

// stream reads what the stream tells of a job, each event as "sequence kind: from → to".
func (w *world) stream(number int64) []string {
	w.t.Helper()
	b := w.broker()
	if _, err := b.Ready(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	var told []string
	err := b.Each(w.t.Context(), event.Filter("", job.ID{CommCell: "prod", Number: number}), 0, func(m stream.Message) error {
		e, err := event.Parse(m.Data)
		if err != nil {
			told = append(told, "foreign")
			return nil
		}
		data, err := e.Job()
		eventtest.Valid(w.t, m.Subject, nil, m.Data)
		told = append(told, fmt.Sprintf("%d %s: %s → %s", e.Number(), data.Change.Kind, data.Change.From, data.Change.To))
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return told
}

func (w *world) holds(number int64, want ...string) {
	w.t.Helper()
	if got := w.stream(number); !slices.Equal(got, want) {
		w.t.Fatalf("the stream tells of job %d\n%q, want\n%q", number, got, want)
	}
}

// unlucky is a broker whose connection fails at a publish: before the message arrives, or after it.
type unlucky struct {
	Broker
	mu       sync.Mutex
	lose     int  // so many messages
	arrives  bool // they are stored, and only their acknowledgement is lost
	inFlight map[string]int
	most     int // in flight of one job, at most
}

var errLost = errors.New("the connection broke")

func (u *unlucky) Publish(ctx context.Context, m stream.Outgoing) (uint64, error) {
	u.mu.Lock()
	if u.inFlight == nil {
		u.inFlight = map[string]int{}
	}
	u.inFlight[m.Filter]++
	u.most = max(u.most, u.inFlight[m.Filter])
	lost := u.lose > 0
	u.lose--
	u.mu.Unlock()
	defer func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		u.inFlight[m.Filter]--
	}()
	if lost && !u.arrives {
		return 0, errLost
	}
	sequence, err := u.Broker.Publish(ctx, m)
	if lost && err == nil {
		return 0, errLost
	}
	return sequence, err
}
