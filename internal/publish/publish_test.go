package publish

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"jobwatch/internal/event"
	"jobwatch/internal/failpoint"
	"jobwatch/internal/job"
	"jobwatch/internal/store/storetest"
	"jobwatch/internal/stream"
	"jobwatch/internal/testing/slow"
)

func TestOrderWithinAJob(t *testing.T) {
	w := newWorld(t)
	x := w.watcher("a.db")
	b := &unlucky{Broker: w.broker(), lose: 30, arrives: true}
	for step := range 5 {
		for number := int64(1); number <= 40; number++ {
			x.sees(number, job.Text(fmt.Sprintf("State %d", step)), "")
		}
	}
	x.publishes(b)
	for number := int64(1); number <= 40; number++ {
		w.holds(number, "1 state:  → State 0", "2 state: State 0 → State 1", "3 state: State 1 → State 2",
			"4 state: State 2 → State 3", "5 state: State 3 → State 4")
	}
	if b.most != 1 {
		t.Errorf("%d events of one job in flight at once", b.most)
	}
}

func TestLostOnTheWay(t *testing.T) {
	for _, arrives := range []bool{false, true} {
		t.Run(fmt.Sprintf("arrives %v", arrives), func(t *testing.T) {
			w := newWorld(t)
			x := w.watcher("a.db")
			x.sees(71, "Running", "Scan")
			x.publishes(&unlucky{Broker: w.broker(), lose: 1, arrives: arrives})
			w.holds(71, "1 state:  → Running", "2 phase:  → Scan")
		})
	}
}

// refused brings a watcher into the position of a refusal, for each of the four meanings; after it
// publishes again, the stream must hold what is wanted.
var refusalRows = []struct {
	meaning string
	prepare func(w *world, x *watcher)
	want    []string
}{
	{
		"arrived: its acknowledgement was lost",
		func(w *world, x *watcher) {
			x.sees(71, "Running", "Scan")
			w.sendAndForget(x, 1)
		},
		[]string{"1 state:  → Running", "2 phase:  → Scan"},
	},
	{
		"moved: our last event, under another sequence",
		func(w *world, x *watcher) {
			x.sees(71, "Running", "")
			x.publishes(w.broker())
			if err := x.store.Expect(job.ID{CommCell: "prod", Number: 71}, 99); err != nil {
				w.t.Fatal(err)
			}
			x.sees(71, "Completed", "")
		},
		[]string{"1 state:  → Running", "2 state: Running → Completed"},
	},
	{
		"forgot: the stream has none any more",
		func(w *world, x *watcher) {
			x.sees(71, "Running", "")
			x.publishes(w.broker())
			w.purge(71)
			x.sees(71, "Completed", "")
		},
		[]string{"2 state: Running → Completed"},
	},
	{
		"forgot: the stream has only an older one",
		func(w *world, x *watcher) {
			x.sees(71, "Running", "Scan")
			x.publishes(w.broker())
			w.deleteLast()
			x.sees(71, "Completed", "")
		},
		[]string{"1 state:  → Running", "3 state: Running → Completed"},
	},
	{
		"another watcher spoke",
		func(w *world, x *watcher) {
			x.sees(71, "Running", "")
			x.publishes(w.broker())
			y := w.watcher("b.db")
			y.publishes(w.broker()) // reads the stream, and owes a look
			y.catchesUp(71)
			y.sees(71, "Pending", "")
			y.publishes(w.broker())
			x.sees(71, "Suspended", "") // held, and refused
		},
		[]string{"1 state:  → Running", "2 state: Running → Pending", "3 state: Pending → Killed", "4 failure: Pending → Killed"},
	},
}

func TestRefusals(t *testing.T) {
	for _, row := range refusalRows {
		t.Run(row.meaning, func(t *testing.T) {
			w := newWorld(t)
			x := w.watcher("a.db")
			row.prepare(w, x)
			x.settles()
			w.holds(71, row.want...)
		})
	}
}

// TestRefusalsCrash crashes in each transaction after the refusal, before and after its commit.
func TestRefusalsCrash(t *testing.T) {
	slow.Test(t, "5 s", "a crash at every step of each refusal")
	for _, row := range refusalRows {
		for _, point := range []failpoint.Point{failpoint.BeforeCommit, failpoint.AfterCommit} {
			for nth := range 3 {
				t.Run(fmt.Sprintf("%s/%s/%d", row.meaning, point, nth), func(t *testing.T) {
					w := newWorld(t)
					x := w.watcher("a.db")
					row.prepare(w, x)
					x.crashes(point, nth)
					x.settles()
					w.holds(71, row.want...)
				})
			}
		}
	}
}

// crashes runs a publisher whose nth transaction ends the process.
func (x *watcher) crashes(point failpoint.Point, nth int) {
	died := make(chan struct{})
	count := 0
	storetest.Hook(x.store, func(at failpoint.Point) error {
		if at != point {
			return nil
		}
		count++
		if count <= nth {
			return nil
		}
		if count == nth+1 {
			close(died)
		}
		return errors.New("crash")
	})
	stop := run(x.w.t, x.publisher(x.w.broker()).Run)
	select {
	case <-died:
	case <-time.After(500 * time.Millisecond): // fewer transactions than that
	}
	stop()
	x.restart()
}

// settles publishes, and after a foreign event polls a job that was killed.
func (x *watcher) settles() {
	x.w.t.Helper()
	id := job.ID{CommCell: "prod", Number: 71}
	stop := run(x.w.t, x.publisher(x.w.broker()).Run)
	x.w.until("all is sent", func() bool {
		known, err := x.store.Recall(id)
		if err != nil {
			x.w.t.Fatal(err)
		}
		if known.RefreshPending {
			x.sees(71, "Killed", "")
		}
		return x.store.Unsent() == 0
	})
	stop()
}

// catchesUp answers the look that a new watcher owes, with what was told.
func (x *watcher) catchesUp(number int64) {
	x.w.t.Helper()
	id := job.ID{CommCell: "prod", Number: number}
	stop := run(x.w.t, x.publisher(x.w.broker()).Run)
	x.w.until("the stream is read", func() bool {
		known, err := x.store.Recall(id)
		return err == nil && known.RefreshPending
	})
	stop()
}

// sendAndForget puts events into the stream whose acknowledgements never come.
func (w *world) sendAndForget(x *watcher, count int) {
	w.t.Helper()
	b := w.broker()
	if _, err := b.Ready(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	id := job.ID{CommCell: "prod", Number: 71}
	for range count {
		next, _, err := storetest.Oldest(x.store, id)
		if err != nil {
			w.t.Fatal(err)
		}
		_, subject, err := event.Address("", id, next.Row)
		if err != nil {
			w.t.Fatal(err)
		}
		_, err = b.Publish(w.t.Context(), stream.Outgoing{
			Subject: subject, Filter: event.Filter("", id), ID: next.Event.ID, ExpectLast: next.Expect, Data: next.Row,
		})
		if err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *world) jetStream() jetstream.Stream {
	w.t.Helper()
	nc, err := nats.Connect(w.server.ClientURL())
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		w.t.Fatal(err)
	}
	s, err := js.Stream(w.t.Context(), "JOBS")
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func (w *world) purge(number int64) {
	w.t.Helper()
	filter := event.Filter("", job.ID{CommCell: "prod", Number: number})
	if err := w.jetStream().Purge(w.t.Context(), jetstream.WithPurgeSubject(filter)); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) deleteLast() {
	w.t.Helper()
	s := w.jetStream()
	info, err := s.Info(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	if err := s.DeleteMsg(w.t.Context(), info.State.LastSeq); err != nil {
		w.t.Fatal(err)
	}
}

func TestForeignMessageIsSkipped(t *testing.T) {
	w := newWorld(t)
	x := w.watcher("a.db")
	x.sees(71, "Running", "")
	x.publishes(w.broker())
	nc, err := nats.Connect(w.server.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if _, err := nc.Request("jobs.prod.71.fall.state.x", []byte("no event"), time.Second); err != nil {
		t.Fatal(err)
	}
	x.sees(71, "Completed", "")
	x.publishes(w.broker())
	w.holds(71, "1 state:  → Running", "foreign", "2 state: Running → Completed")
}

func TestNewStoreBesideAStream(t *testing.T) {
	w := newWorld(t)
	x := w.watcher("a.db")
	for number := int64(1); number <= 30; number++ {
		x.sees(number, "Running", "Scan")
	}
	x.publishes(w.broker())
	x.sees(1, "Completed", "")
	x.publishes(w.broker())

	y := w.watcher("new.db")
	p := y.publisher(w.broker())
	stop := run(t, p.Run)
	<-p.CaughtUp()
	stop()
	for number := int64(1); number <= 30; number++ {
		id := job.ID{CommCell: "prod", Number: number}
		known, err := y.store.Recall(id)
		if err != nil {
			t.Fatal(err)
		}
		ended := number == 1
		if known.RefreshPending == ended || known.Terminal != ended {
			t.Errorf("job %d: owed %v, ended %v", number, known.RefreshPending, known.Terminal)
		}
	}
	y.sees(2, "Running", "Backup")
	y.publishes(w.broker())
	w.holds(2, "1 state:  → Running", "2 phase:  → Scan", "3 phase: Scan → Backup")
}

func TestOlderStoreBesideAStream(t *testing.T) {
	w := newWorld(t)
	x := w.watcher("a.db")
	x.sees(71, "Running", "")
	x.publishes(w.broker())
	copied := x.copied("older.db")
	x.sees(71, "Pending", "")
	x.sees(71, "Running", "")
	x.publishes(w.broker())

	copied.sees(71, "Running", "") // nothing new to it
	copied.catchesUp(71)
	copied.sees(71, "Failed", "")
	copied.publishes(w.broker())
	w.holds(71, "1 state:  → Running", "2 state: Running → Pending", "3 state: Pending → Running",
		"4 state: Running → Failed", "5 failure: Running → Failed")
}

// copied is a watcher with a store as this one's is now.
func (x *watcher) copied(name string) *watcher {
	x.w.t.Helper()
	data, err := os.ReadFile(x.path)
	if err == nil {
		err = os.WriteFile(filepath.Join(x.w.dir, name), data, 0o600)
	}
	if err != nil {
		x.w.t.Fatal(err)
	}
	return x.w.watcher(name)
}

func TestOutage(t *testing.T) {
	w := newWorld(t)
	x := w.watcher("a.db")
	x.sees(71, "Running", "")
	address := strings.TrimPrefix(w.server.ClientURL(), "nats://")
	b := stream.New(stream.Config{URL: w.server.ClientURL()})
	run(t, b.Run)
	run(t, x.publisher(b).Run)
	w.until("the first is sent", func() bool { return x.store.Unsent() == 0 })
	w.stopServer()
	x.sees(71, "Running", "Scan")
	x.sees(71, "Running", "Backup")
	x.sees(71, "Completed", "")
	w.until("the loss is seen", func() bool { return !b.Connected() })
	if got := x.store.Unsent(); got != 3 {
		t.Fatalf("%d events kept for NATS, want 3", got)
	}
	w.startServer(address)
	w.until("all is sent", func() bool { return x.store.Unsent() == 0 })
	w.holds(71, "1 state:  → Running", "2 phase:  → Scan", "3 phase: Scan → Backup", "4 state: Running → Completed")
}

// refusing is a broker that refuses one job for good.
type refusing struct {
	Broker
	filter string
}

func (r refusing) Publish(ctx context.Context, m stream.Outgoing) (uint64, error) {
	if m.Filter == r.filter {
		return 0, &stream.RefusedError{Reason: stream.TooLarge, Text: "too large"}
	}
	return r.Broker.Publish(ctx, m)
}

func TestRefusedForGoodStopsThatJobAlone(t *testing.T) {
	w := newWorld(t)
	x := w.watcher("a.db")
	x.sees(1, "Running", "")
	x.sees(2, "Running", "")
	p := x.publisher(refusing{w.broker(), event.Filter("", job.ID{CommCell: "prod", Number: 1})})
	stop := run(t, p.Run)
	w.until("the other is sent", func() bool { return x.store.Unsent() == 1 })
	w.until("the refusal is counted more than once", func() bool {
		reasons, stopped := p.Refusals()
		return reasons[stream.TooLarge] > 1 && stopped == 1
	})
	stop()
	w.holds(2, "1 state:  → Running")
	w.holds(1)
	x.publishes(w.broker()) // fixed
	w.holds(1, "1 state:  → Running")
}

func TestAnEventThatCannotBeReadStopsItsJobAlone(t *testing.T) {
	w := newWorld(t)
	x := w.watcher("a.db")
	x.sees(1, "Running", "")
	x.sees(2, "Running", "")
	x.spoils()
	p := x.publisher(w.broker())
	run(t, p.Run)
	w.until("the other is sent", func() bool { return x.store.Unsent() == 1 })
	w.until("it is counted", func() bool {
		reasons, stopped := p.Refusals()
		return reasons["illegible"] > 0 && stopped == 1
	})
	w.holds(2, "1 state:  → Running")
	w.holds(1)
}

func TestStreamDeletedMeanwhile(t *testing.T) {
	w := newWorld(t)
	x := w.watcher("a.db")
	x.sees(71, "Running", "")
	run(t, x.publisher(w.broker()).Run)
	w.until("the first is sent", func() bool { return x.store.Unsent() == 0 })
	nc, err := nats.Connect(w.server.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	if err := js.DeleteStream(t.Context(), "JOBS"); err != nil {
		t.Fatal(err)
	}
	x.sees(71, "Completed", "")
	w.until("all is sent", func() bool { return x.store.Unsent() == 0 })
	w.holds(71, "2 state: Running → Completed")
}
