package endtoend

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"jobwatch/internal/sim"
	"jobwatch/internal/store"
	"jobwatch/internal/stream"
	"jobwatch/internal/testing/eventtest"
)

// world is all that the watcher deals with, outside its process.
type world struct {
	t      *testing.T
	random *rand.Rand
	sim    *sim.Sim
	clock  *lifeClock       // of the jobs, where they have one
	nats   *stream.Embedded // nil while it is stopped
	asks   struct {         // the test's own connection
		of *stream.Embedded
		js jetstream.JetStream
	}
	proxy  *proxy
	config string
	dir    string

	child *exec.Cmd
	said  log
	kills []doubt
}

func newWorld(t *testing.T, seed int64, play *sim.Sim, around ...func(http.Handler) http.Handler) *world {
	w := &world{t: t, random: rand.New(rand.NewPCG(uint64(seed), 0)), dir: t.TempDir(), sim: play, clock: new(lifeClock)}
	var handler http.Handler = w.sim
	for _, wrap := range around {
		handler = wrap(handler)
	}
	commServe := httptest.NewServer(handler)
	t.Cleanup(commServe.Close)
	w.startNATS(keptAddress(t))
	t.Cleanup(w.stopNATS)
	w.makeStream()
	w.proxy = newProxy(t, strings.TrimPrefix(w.nats.ClientURL(), "nats://"))
	w.config = filepath.Join(w.dir, "watcher.yaml")
	text := fmt.Sprintf(`
commcells:
  - name: sim
    url: %s/webconsole/api
    auth: {username: watcher, password: watcher}
    schedule: "@every 1s"
nats: {url: "nats://%s"}
store: {path: %q}
http: {listen: ""}
`, commServe.URL, w.proxy.address(), filepath.Join(w.dir, "watcher.db"))
	if err := os.WriteFile(w.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return w
}

// makeStream makes the stream with a duplicate window that is over before anything is sent again.
func (w *world) makeStream() {
	js := w.jetStream()
	w.until("the stream is made", func() bool {
		_, err := js.CreateStream(w.t.Context(), jetstream.StreamConfig{
			Name: "JOBS", Subjects: []string{"jobs.>", "commcells.>"}, Duplicates: 100 * time.Millisecond,
			MaxAge: 720 * time.Hour, Discard: jetstream.DiscardNew,
		})
		// A server that still clears away the account's last stream has no folder for another.
		if refused, is := errors.AsType[*jetstream.APIError](err); is && uint16(refused.ErrorCode) == uint16(server.JSStreamCreateErrF) {
			return false
		}
		if err != nil {
			w.t.Fatal(err)
		}
		return true
	})
}

// jetStream has one connection to each server that is started.
func (w *world) jetStream() jetstream.JetStream {
	if w.asks.js != nil && w.asks.of == w.nats {
		return w.asks.js
	}
	nc, err := nats.Connect(w.nats.ClientURL(), nats.Timeout(time.Minute))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		w.t.Fatal(err)
	}
	w.asks.of, w.asks.js = w.nats, js
	return js
}

// startNATS waits for address and folder: a process that another test starts holds, until it runs, what was open here.
func (w *world) startNATS(address string) {
	w.t.Helper()
	for until := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		var err error
		w.nats, err = stream.StartEmbedded(stream.EmbeddedConfig{Listen: address, Dir: filepath.Join(w.dir, "nats")})
		if err == nil {
			return
		}
		if !strings.Contains(err.Error(), "in use") || time.Now().After(until) {
			w.t.Fatal(err)
		}
	}
}

func (w *world) stopNATS() {
	if w.nats != nil {
		w.nats.Close()
		w.nats = nil
	}
}

func (w *world) start(env ...string) {
	w.child = exec.CommandContext(w.t.Context(), "watcher", "run", "-c", w.config)
	w.child.Env = append(os.Environ(), env...)
	w.child.Stderr = &w.said
	if err := w.child.Start(); err != nil {
		w.t.Fatal(err)
	}
	startedAt(time.Now(), w.kills)
}

// progress waits until the watcher has asked for so many more jobs.
func (w *world) progress(more int) {
	before := w.sim.Counts()[sim.OpJobDetails]
	w.until("the watcher asks", func() bool { return w.sim.Counts()[sim.OpJobDetails] >= before+more })
}

func (w *world) kill() {
	_ = w.child.Process.Kill()
	_ = w.child.Wait()
	w.kills = append(w.kills, killedAt(time.Now()))
	w.proxy.cut()
}

// judge waits until the stream holds what is owed, and no more.
func (w *world) judge() {
	w.t.Helper()
	var verdict verdict
	w.until("the stream is complete", func() bool {
		verdict = judge(w.t, w.sim.Served(), w.kills, w.read())
		return verdict.clean()
	}, func() string { return verdict.String() })
	w.t.Logf("%d kills, %d answers, %s", len(w.kills), len(w.sim.Served()), verdict)
}

// acknowledged waits until the store knows that all is sent: the stream holds an event before that.
func (w *world) acknowledged() {
	w.t.Helper()
	w.until("all is acknowledged", func() bool { return w.stat().Unsent == 0 })
}

func (w *world) stat() (stat store.Stat) {
	w.t.Helper()
	out, err := exec.CommandContext(w.t.Context(), "watcher", "store", "stat", "-c", w.config, "-o", "json").Output()
	if err == nil {
		err = json.Unmarshal(out, &stat)
	}
	if err != nil {
		w.t.Fatalf("store stat: %v %s", err, out)
	}
	return stat
}

// stop stops the watcher as an administrator does, and judges once more.
func (w *world) stop() {
	w.t.Helper()
	if err := w.child.Process.Signal(syscall.SIGTERM); err != nil {
		w.t.Fatal(err)
	}
	if err := w.child.Wait(); err != nil {
		w.t.Fatalf("SIGTERM ends it with %v\n%s", err, tail(w.said.String()))
	}
	w.kills = append(w.kills, killedAt(time.Now()))
	if after := judge(w.t, w.sim.Served(), w.kills, w.read()); !after.clean() {
		w.t.Fatalf("after the stop: %s", after)
	}
}

// read reads the whole stream.
func (w *world) read() []received { return readStream(w.t, w.jetStream(), "JOBS", "") }

// readStream reads all events of jobs. The prefix of their subjects ends in a dot, or is empty.
func readStream(t *testing.T, js jetstream.JetStream, stream, prefix string) (all []received) {
	eachMessage(t, js, stream, prefix+"jobs.>", func(m jetstream.Msg) {
		subject := strings.TrimPrefix(m.Subject(), prefix)
		eventtest.Valid(t, subject, m.Headers(), m.Data())
		all = append(all, parseReceived(t, subject, m.Headers().Get("Nats-Msg-Id"), m.Data()))
	})
	return all
}

func eachMessage(t *testing.T, js jetstream.JetStream, stream, filter string, show func(jetstream.Msg)) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	consumer, err := js.OrderedConsumer(ctx, stream, jetstream.OrderedConsumerConfig{FilterSubjects: []string{filter}})
	if err != nil {
		t.Fatal(err)
	}
	info, err := consumer.Info(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = js.DeleteConsumer(ctx, stream, consumer.CachedInfo().Name) }() // or they pile up until NATS takes no more
	for shown := uint64(0); shown < info.NumPending; {
		batch, err := consumer.Fetch(int(min(500, info.NumPending-shown)), jetstream.FetchMaxWait(time.Second))
		if err != nil {
			t.Fatal(err)
		}
		for m := range batch.Messages() {
			show(m)
			shown++
		}
	}
}

// until waits for a condition, and fails after a time that no healthy machine needs. A login whose answer breaks off is
// tried again a minute later.
func (w *world) until(what string, holds func() bool, got ...func() string) {
	w.t.Helper()
	for left := w.clock.patience(3 * time.Minute); !holds(); time.Sleep(20 * time.Millisecond) {
		if !left() {
			detail := ""
			for _, say := range got {
				detail += say() + "\n"
			}
			said := tail(w.said.String())
			_ = w.child.Process.Signal(syscall.SIGQUIT) // where it hangs
			_ = w.child.Wait()
			w.t.Fatalf("%s\n%s\nwaited in vain: %s\n%s", said, tail(w.said.String()), what, detail)
		}
	}
}

// log is what the watcher says; it is read while it is written.
type log struct {
	mu      sync.Mutex
	text    bytes.Buffer  // guarded by mu
	changed chan struct{} // closed when more is written, if somebody waits for that; guarded by mu
}

func (l *log) Write(text []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
	return l.text.Write(text)
}

// more is closed when more is written.
func (l *log) more() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changed == nil {
		l.changed = make(chan struct{})
	}
	return l.changed
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func tail(text string) string { return text[max(0, len(text)-20000):] }
