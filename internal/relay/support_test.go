package relay

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"jobwatch/internal/stream"
)

// world is a NATS server with a stream of events.
type world struct {
	t      testing.TB
	server *stream.Embedded
	broker *stream.Broker
	last   map[string]uint64 // stream sequence of each job's last event
	number map[string]int
}

func newWorld(t testing.TB) *world {
	t.Helper()
	server, err := stream.StartEmbedded(stream.EmbeddedConfig{Listen: "127.0.0.1:0", Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	w := &world{t: t, server: server, last: map[string]uint64{}, number: map[string]int{}}
	w.broker = w.connect()
	return w
}

// connect makes a connection of its own, which lives until the test ends.
func (w *world) connect() *stream.Broker {
	w.t.Helper()
	b := stream.New(stream.Config{URL: w.server.ClientURL(), Log: slog.New(slog.DiscardHandler)})
	runs(w.t, b.Run)
	if _, err := b.Ready(soon(w.t)); err != nil {
		w.t.Fatal(err)
	}
	return b
}

// runs runs a loop until the test ends, or stop is called.
func runs(t testing.TB, loop func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- loop(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(time.Minute):
			t.Error("it did not stop")
		}
	})
	t.Cleanup(stop)
	return stop
}

func soon(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// tell publishes the next event of a job: prod/7.
func (w *world) tell(jobs ...int) {
	w.t.Helper()
	for _, n := range jobs {
		job := fmt.Sprintf("prod/%d", n)
		w.number[job]++
		m := message(n, w.number[job])
		m.ExpectLast = w.last[job]
		sequence, err := w.broker.Publish(soon(w.t), m)
		if err != nil {
			w.t.Fatal(err)
		}
		w.last[job] = sequence
	}
}

// message is the event number of a job.
func message(job, number int) stream.Outgoing {
	id := fmt.Sprintf("%s-%012d", epoch, job*1000+number)
	data := fmt.Sprintf(`{"specversion":"1.0","id":%q,"source":"/commcells/prod","type":"jobwatch.job.state.v1","subject":"jobs/%d",`+
		`"time":%q,"datacontenttype":"application/json","dataschema":"urn:jobwatch:job-change:v1","sequence":"%020d","partitionkey":"prod/%d",`+
		`"data":{"change":{"kind":"state","detail":"running","from":null,"to":"Running","notBefore":null,"observedAt":"2026-11-23T14:00:00Z"},`+
		`"severity":"info","job":{"commcell":"prod","id":%d,"client":"fall","state":"Running","stateClass":"active"}}}`,
		id, job, time.Now().UTC().Format(time.RFC3339Nano), number, job, job)
	return stream.Outgoing{
		Subject: fmt.Sprintf("jobs.prod.%d.fall.state.running", job), Filter: fmt.Sprintf("jobs.prod.%d.>", job), ID: id, Data: []byte(data),
	}
}

const epoch = "q7m2xk3vb9t4hs6c"

// config is that of a relay named ops.
func (w *world) config(to Destination, change ...func(*Config)) Config {
	c := Config{
		Name: "ops", Subjects: []string{"jobs.>", "commcells.>"}, Start: Start{All: true}, Timeout: 5 * time.Second,
		Destination: to, Broker: w.broker, Stream: "JOBS", Host: "here", Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	}
	for _, f := range change {
		f(&c)
	}
	return c
}

func (w *world) relays(to Destination, change ...func(*Config)) (r *Relay, stop func()) {
	r = New(w.config(to, change...))
	return r, runs(w.t, r.Run)
}

// tally counts.
type tally struct{ delivered, failed, dead, missed atomic.Uint64 }

func (c *tally) Delivered(time.Duration) { c.delivered.Add(1) }
func (c *tally) Failed(string)           { c.failed.Add(1) }
func (c *tally) Dead()                   { c.dead.Add(1) }
func (c *tally) Missed(n uint64)         { c.missed.Add(n) }

func counts(c *tally) func(*Config) { return func(cfg *Config) { cfg.Meter = c } }

// receiver is a destination that remembers what it was given, and refuses what refuse says.
type receiver struct {
	mu     sync.Mutex
	got    []*Event
	refuse func(*Event) error
}

func (r *receiver) Deliver(_ context.Context, b Batch) (done int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range b.Events {
		if r.refuse != nil {
			if err := r.refuse(e); err != nil {
				return done, err
			}
		}
		r.got = append(r.got, e)
		done++
	}
	return done, nil
}

func (r *receiver) set(refuse func(*Event) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refuse = refuse
}

// ids are those of the events that it has, of one job or (0) of all.
func (r *receiver) ids(job int64) (ids []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.got {
		if job == 0 || e.Job.Number == job {
			ids = append(ids, e.ID)
		}
	}
	return ids
}

func (r *receiver) count() int { return len(r.ids(0)) }

func until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// inOrder fails where an event of a job came before an earlier one, or is missing; repeats are counted.
func inOrder(t *testing.T, ids []string, each map[string]int) (repeats int) {
	t.Helper()
	highest, had := map[string]string{}, map[string]int{}
	seen := map[string]bool{}
	for _, id := range ids {
		if seen[id] {
			repeats++
			continue
		}
		seen[id] = true
		var n int
		if _, err := fmt.Sscanf(id[len(epoch)+1:], "%d", &n); err != nil {
			t.Fatal(err)
		}
		job := fmt.Sprintf("prod/%d", n/1000)
		if id <= highest[job] {
			t.Errorf("%s: %s after %s", job, id, highest[job])
		}
		highest[job] = id
		had[job]++
	}
	for job, n := range each {
		if had[job] != n {
			t.Errorf("%s: %d of %d events", job, had[job], n)
		}
	}
	return repeats
}
