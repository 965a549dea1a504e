package endtoend

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
	"jobwatch/internal/store"
	"jobwatch/internal/testing/slow"
)

// TestClusterAFileReturns cuts an owner off from NATS, so that it goes on polling what others have taken over, kills it, and
// starts it again when the jobs that its file tells of are over.
func TestClusterAFileReturns(t *testing.T) {
	slow.Test(t, "90 s", "a store comes back whose events others have told, and some that nobody has")
	t.Parallel()
	away := longOr(20*time.Second, 5*time.Minute)
	w := newClusterWorld(t, clusterPlan{seed: seeds(t)[0], members: 2, commCells: 3, servers: 1, jobs: 20, arrivals: 0.5, most: 30})
	w.start()
	w.settled()
	m := w.busiest(0)
	cells := w.cellsOf(m)
	at := time.Now()
	m.wire.close()
	w.until("it holds what it cannot send", func() bool { return m.unsent() > 0 })
	if longest := w.table("taken over from one that is cut off", w.taken(cells, m, at, false)); longest > promised(takesOver) {
		t.Errorf("a takeover took %v, promised are %v", longest, takesOver)
	}
	held := m.unsent()
	w.kill(m)
	m.wire.cut()
	w.pass(time.Now().Add(away))
	w.start(m)
	w.joined(m)
	w.until("it holds nothing any more", func() bool { return m.unsent() == 0 })
	t.Logf("it came back with %d events after %v", held, time.Since(at))
	w.settled()
	stir(w.cells, at)
	w.finale()
}

// TestClusterAnEmptyStoreJoins starts a member with an empty store beside a stream of many events, at the moment at which the
// owner dies: the one that has read the stream takes over.
func TestClusterAnEmptyStoreJoins(t *testing.T) {
	slow.Test(t, "1 min", "a member reads a long stream while another dies")
	t.Parallel()
	w := newClusterWorld(t, clusterPlan{seed: seeds(t)[0], members: 3, commCells: 3, servers: 1, jobs: 10, arrivals: 0.5, most: 20})
	w.fill(longOr(1000, 100_000))
	w.start(w.members[:2]...)
	w.caughtUp(w.members[:2]...)
	w.settled()
	m := w.busiest(0)
	cells := w.cellsOf(m)
	w.start(w.members[2])
	at := w.kill(m)
	all := w.taken(cells, m, at, false)
	if longest := w.table("taken over beside an empty store", all); longest > promised(takesOver) {
		t.Errorf("a takeover took %v, promised are %v", longest, takesOver)
	}
	w.caughtUp(w.members[2])
	w.start(m)
	w.joined(m)
	w.settled()
	w.finale()
}

// firstOfThePast is the number of the first job that fill tells of.
const firstOfThePast = 100_000_001

// fill tells of so many jobs of the past, two events each. No CommServe knows of them any more.
func (w *clusterWorld) fill(jobs int) {
	w.t.Helper()
	js, end := w.connect()
	defer end()
	minter := event.NewMinter(nil)
	at := time.Now().UTC().Add(-24 * time.Hour)
	for n := range jobs {
		o := job.Observation{Asked: at, Answered: at}
		o.Snapshot.CommCell, o.Snapshot.Number, o.Snapshot.Client = w.cells[n%len(w.cells)].name, firstOfThePast+int64(n), "fall"
		for i, state := range []job.Text{"Running", "Completed"} {
			from := o.Snapshot.State
			o.Snapshot.State, o.Snapshot.Terminal = state, i == 1
			change := job.Change{Kind: job.KindState, Detail: job.Slug(state), From: from, To: state}
			e, err := minter.Job(uint64(i+1), change, o, time.Time{})
			if err != nil {
				w.t.Fatal(err)
			}
			w.publish(js, o.ID(), e)
		}
	}
	w.until("the stream holds the past", func() bool { return w.lastEvent(js) == uint64(2*jobs) }, func() string {
		return fmt.Sprintf("%d events of %d", w.lastEvent(js), 2*jobs)
	})
}

func (w *clusterWorld) publish(js jetstream.JetStream, id job.ID, e event.Event) {
	w.t.Helper()
	data, err := json.Marshal(e)
	m := nats.NewMsg("")
	m.Data = data
	m.Header.Set("Nats-Msg-Id", e.ID)
	if err == nil {
		_, m.Subject, err = event.Address("", id, data)
	}
	if err == nil {
		_, err = js.PublishMsgAsync(m, jetstream.WithStallWait(time.Minute)) // for one of those that are under way to be stored
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// lastEvent is the sequence of the stream's last message.
func (w *clusterWorld) lastEvent(js jetstream.JetStream) uint64 {
	w.t.Helper()
	s, err := js.Stream(w.t.Context(), "JOBS")
	if err != nil {
		w.t.Fatal(err)
	}
	return s.CachedInfo().State.LastSeq
}

// caughtUp waits until members' stores have read the stream, as long as they read on.
func (w *clusterWorld) caughtUp(members ...*member) {
	w.t.Helper()
	js, end := w.connect()
	defer end()
	last := w.lastEvent(js)
	for _, m := range members {
		began, stat, reached := time.Now(), store.Stat{}, ""
		for stat.ReadTo < last {
			before := reached
			w.until(m.name+" reads on", func() bool {
				said := typed(w.t, "store", "stat", "-c", m.config, "-o", "json")
				_ = json.Unmarshal([]byte(said.Out), &stat)
				reached = fmt.Sprintf("%s, %d jobs in the store", w.delivered(js, last), stat.Jobs)
				return stat.ReadTo >= last || reached != before
			}, func() string { return reached })
		}
		w.t.Logf("%s has read %d events after %v", m.name, stat.ReadTo, time.Since(began))
	}
}

// delivered is how many events the stream's readers have got, up to a sequence. Where a store has read to is written once, at
// the end.
func (w *clusterWorld) delivered(js jetstream.JetStream, last uint64) string {
	w.t.Helper()
	s, err := js.Stream(w.t.Context(), "JOBS")
	if err != nil {
		w.t.Fatal(err)
	}
	total := uint64(0)
	for reader := range s.ListConsumers(w.t.Context()).Info() {
		total += min(reader.Delivered.Stream, last)
	}
	return fmt.Sprintf("%d events delivered", total)
}
