package relay

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"jobwatch/internal/testing/slow"
)

// admin is somebody with NATS's own tools.
func (w *world) admin() jetstream.JetStream {
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
	return js
}

func (w *world) purge(upTo uint64) {
	w.t.Helper()
	s, err := w.admin().Stream(soon(w.t), "JOBS")
	if err == nil {
		err = s.Purge(soon(w.t), jetstream.WithPurgeSequence(upTo+1))
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

func away(*Event) error { return &Refusal{Kind: Away, Reason: "HTTP 401", Status: 401} }

func TestAConsumerThatIsDeletedIsMadeAgainWhereItWas(t *testing.T) {
	slow.Test(t, "5 s", "a claim is tried again after a second")
	t.Parallel()
	w := newWorld(t)
	w.tell(1, 2, 1, 2)
	to := &receiver{}
	r, _ := w.relays(to)
	until(t, "all is delivered, and noted", func() bool { return to.count() == 4 && r.Status().State == Delivering && w.floor() == 4 })
	if err := w.admin().DeleteConsumer(soon(t), "JOBS", "relay-ops"); err != nil {
		t.Fatal(err)
	}
	w.tell(1, 2)
	until(t, "it goes on", func() bool { return to.count() == 6 })
	if n := inOrder(t, to.ids(0), w.number); n > 0 {
		t.Errorf("%d repeats", n)
	}
}

// TestAConsumerIsDeletedJustBeforeAStop: what was delivered since the last beat is noted by the stop alone.
func TestAConsumerIsDeletedJustBeforeAStop(t *testing.T) {
	w := newWorld(t)
	to := &receiver{}
	r, stop := w.relays(to)
	until(t, "it delivers", func() bool { return r.Status().State == Delivering })
	for range 10 {
		before := to.count()
		w.tell(1, 2)
		until(t, "all is delivered", func() bool { return to.count() == before+2 })
	}
	if err := w.admin().DeleteConsumer(soon(t), "JOBS", "relay-ops"); err != nil {
		t.Fatal(err)
	}
	stop()
	if got := w.floor(); got != 20 {
		t.Errorf("noted up to %d, want 20", got)
	}
	w.tell(1, 2)
	w.relays(to)
	until(t, "it goes on", func() bool { return to.count() >= 22 })
	if n := inOrder(t, to.ids(0), w.number); n > 0 {
		t.Errorf("%d repeats", n)
	}
}

// floor is what the relay's record in the bucket says.
func (w *world) floor() uint64 {
	w.t.Helper()
	e, err := w.broker.Bucket(BucketName("JOBS")).Get(soon(w.t), "ops")
	if err != nil {
		w.t.Fatal(err)
	}
	rec, err := readRecord(e)
	if err != nil {
		w.t.Fatal(err)
	}
	return rec.Floor
}

func TestAPauseByHandIsKeptAndSaid(t *testing.T) {
	slow.Test(t, "10 s", "a pause is seen at a beat")
	t.Parallel()
	w := newWorld(t)
	to := &receiver{}
	r, stop := w.relays(to)
	until(t, "it delivers", func() bool { return r.Status().State == Delivering })
	end := time.Now().Add(9 * time.Second)
	if _, err := w.admin().PauseConsumer(soon(t), "JOBS", "relay-ops", end); err != nil {
		t.Fatal(err)
	}
	stop() // a start keeps it, too
	r, _ = w.relays(to)
	w.tell(1, 2)
	until(t, "it is said", func() bool { return r.Status().Reason == "paused by hand until "+end.UTC().Format(time.RFC3339) })
	if to.count() > 0 {
		t.Error("delivered while it is paused")
	}
	until(t, "it goes on", func() bool { return to.count() == 2 })
}

// TestWhatIsSetAsideAges: nobody holds it in the consumer's window any more, where the stream's forgetting would show.
func TestWhatIsSetAsideAges(t *testing.T) {
	slow.Test(t, "15 s", "real pauses between tries")
	t.Parallel()
	for name, row := range map[string]struct {
		upTo   uint64 // the stream forgets
		missed uint64
		again  bool // the relay is started again meanwhile
	}{
		"nothing of it":                  {0, 0, false},
		"some of it":                     {100, 100, false},
		"all of it":                      {300, 300, false},
		"some, and the relay is another": {100, 100, true},
		"all, and others, seen by one that never saw them": {301, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			for range 300 {
				w.tell(1)
			}
			w.tell(2, 2)
			to := &receiver{}
			to.set(func(e *Event) error {
				if e.Job.Number == 1 {
					return &Refusal{Kind: Uncertain, Reason: "HTTP 500", Status: 500}
				}
				return nil
			})
			var count tally
			r, stop := w.relays(to, counts(&count))
			until(t, "the job is parked", func() bool { return r.Status().Parked == 1 && r.Status().Pending == 0 && w.floor() == 302 })
			if row.again {
				stop()
			}
			if row.upTo > 0 {
				w.purge(row.upTo)
			}
			to.set(nil)
			if row.again {
				r, _ = w.relays(to, counts(&count))
			}
			left := 302 - int(min(row.upTo, 300))
			until(t, "the rest is delivered", func() bool { return to.count() == left && count.missed.Load() == row.missed })
			until(t, "no job is parked", func() bool {
				all, err := w.broker.Bucket(BucketName("JOBS")).Entries(soon(t), "ops.parked.>")
				return err == nil && len(all) == 0
			})
			if left == 2 {
				w.last["prod/1"] = 0
			}
			w.tell(1)
			until(t, "it goes on as others do", func() bool { return to.count() == left+1 })
			if got := count.missed.Load(); got != row.missed {
				t.Errorf("%d missed, want %d", got, row.missed)
			}
		})
	}
}

func TestWhatIsPurgedIsSaid(t *testing.T) {
	for name, row := range map[string]struct {
		change func(w *world, to *receiver, stop func(), again func()) // between 2 events that are delivered and the rest
		missed uint64
	}{
		"while it is down": {func(w *world, _ *receiver, stop, again func()) {
			stop()
			w.tell(1, 2, 3, 4)
			w.purge(5)
			again()
		}, 3},
		"while the destination is away": {func(w *world, to *receiver, _, _ func()) {
			to.set(away)
			for range 100 {
				w.tell(1, 2, 3, 4) // more than the window holds
			}
			until(w.t, "the window is full", func() bool { return w.unsettled() == minWindow })
			w.purge(300)
			to.set(nil)
		}, 300 - 2 - minWindow},
		"what it had": {func(w *world, _ *receiver, _, _ func()) { w.purge(2); clear(w.last); w.tell(1) }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			slow.Test(t, "5 s", "what is forgotten is seen at a beat")
			t.Parallel()
			w := newWorld(t)
			w.tell(1, 2)
			to := &receiver{}
			var n tally
			r, stop := w.relays(to, counts(&n))
			until(t, "two are delivered, and noted", func() bool { return to.count() == 2 && w.floor() == 2 })
			row.change(w, to, stop, func() { r, _ = w.relays(to, counts(&n)) })
			total := 0
			for _, events := range w.number {
				total += events
			}
			until(t, "the rest is delivered", func() bool { return to.count() == total-int(row.missed) })
			until(t, "it is up to date", func() bool { return int(w.floor()) == total })
			if n.missed.Load() != row.missed || r.Status().Missed != row.missed {
				t.Errorf("missed: counted %d, status %d, want %d", n.missed.Load(), r.Status().Missed, row.missed)
			}
		})
	}
}

func (w *world) unsettled() int {
	w.t.Helper()
	c, err := w.admin().Consumer(soon(w.t), "JOBS", "relay-ops")
	if err != nil {
		w.t.Fatal(err)
	}
	return c.CachedInfo().NumAckPending
}

// TestAStreamThatLostItsEnd takes the events of a stream's first life for what they were, and tells those of its second.
func TestAStreamThatLostItsEnd(t *testing.T) {
	slow.Test(t, "10 s", "NATS is away and comes back in real time")
	t.Parallel()
	w := newWorld(t)
	w.tell(1, 2, 3)
	to := &receiver{}
	r, _ := w.relays(to)
	until(t, "all is delivered, and noted", func() bool { return to.count() == 3 && w.floor() == 3 })
	js := w.admin()
	s, err := js.Stream(soon(t), "JOBS")
	if err != nil {
		t.Fatal(err)
	}
	config := s.CachedInfo().Config
	if err := js.DeleteStream(soon(t), "JOBS"); err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateStream(soon(t), config); err != nil {
		t.Fatal(err)
	}
	clear(w.last)
	until(t, "it can be written again", func() bool { _, err := w.broker.Ready(soon(t)); return err == nil })
	w.tell(1, 2, 3, 4)
	until(t, "all of the new one is delivered", func() bool { return to.count() == 7 && r.Status().State == Delivering })
}
