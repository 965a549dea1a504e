package publish

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"jobwatch/internal/diff"
	"jobwatch/internal/event"
	"jobwatch/internal/failpoint"
	"jobwatch/internal/job"
	"jobwatch/internal/store/storetest"
	"jobwatch/internal/stream"
)

// asking is a broker that asks before each publish. An error is what becomes of it.
type asking struct {
	Broker
	ask func(m stream.Outgoing) error
}

func (a asking) Publish(ctx context.Context, m stream.Outgoing) (uint64, error) {
	if err := a.ask(m); err != nil {
		return 0, err
	}
	return a.Broker.Publish(ctx, m)
}

// seesThree has three events of a job wait, which are sent in one run.
func (w *world) seesThree(x *watcher) {
	for _, state := range []job.Text{"Running", "Pending", "Completed"} {
		x.sees(71, state, "")
	}
}

var three = []string{"1 state:  → Running", "2 state: Running → Pending", "3 state: Pending → Completed"}

func TestARefusalWithinARunStopsItThere(t *testing.T) {
	w := newWorld(t)
	x := w.watcher("a.db")
	w.seesThree(x)
	p := x.publisher(asking{w.broker(), func(m stream.Outgoing) error {
		if strings.Contains(string(m.Data), `"to":"Pending"`) {
			return &stream.RefusedError{Reason: stream.TooLarge, Text: "too large"}
		}
		return nil
	}})
	stop := run(t, p.Run)
	w.until("the second is refused", func() bool { _, stopped := p.Refusals(); return stopped == 1 })
	stop()
	w.holds(71, three[0])
	if sent, err := x.store.Acknowledged(job.ID{CommCell: "prod", Number: 71}); sent.Stream != 1 || x.store.Unsent() != 2 || err != nil {
		t.Errorf("the first is acknowledged as %+v, and %d wait (%v)", sent, x.store.Unsent(), err)
	}
	x.publishes(w.broker())
	w.holds(71, three...)
}

func TestARunThatIsNotAcknowledgedInTheStoreIsNotSentAgain(t *testing.T) {
	for point, name := range map[failpoint.Point]string{failpoint.BeforeCommit: "it fails", failpoint.AfterCommit: "it fails but happened"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			x := w.watcher("a.db")
			w.seesThree(x)
			b := w.broker()
			var broken atomic.Bool
			storetest.Hook(x.store, func(at failpoint.Point) error {
				if at == point && broken.Load() {
					return errLost
				}
				return nil
			})
			p := x.publisher(asking{b, func(stream.Outgoing) error {
				broken.Store(true)
				return nil
			}})
			stop := run(t, p.Run)
			w.until("all is in the stream", func() bool { return len(w.stream(71)) == 3 })
			stop()
			x.restart()
			x.publishes(b)
			w.holds(71, three...)
		})
	}
}

func TestAForeignEventWithinARun(t *testing.T) {
	w := newWorld(t)
	x, y := w.watcher("a.db"), w.watcher("b.db")
	w.seesThree(x)
	id := job.ID{CommCell: "prod", Number: 71}
	b := w.broker()
	var once sync.Once
	p := x.publisher(asking{b, func(m stream.Outgoing) error {
		if strings.Contains(string(m.Data), `"to":"Pending"`) {
			once.Do(func() { y.tellsOf(b, id, "Killed") })
		}
		return nil
	}})
	stop := run(t, p.Run)
	w.until("the other is heard", func() bool {
		known, err := x.store.Recall(id)
		return err == nil && known.RefreshPending && known.Told.State == "Killed"
	})
	stop()
	w.holds(71, three[0], "2 state: Running → Killed")
}

// tellsOf has another watcher tell a job's second event, behind the first in the stream.
func (x *watcher) tellsOf(b Broker, id job.ID, state job.Text) {
	seen := job.Observation{Snapshot: job.Snapshot{CommCell: id.CommCell, Number: id.Number, State: state}}
	seen.Snapshot.Settle()
	change := diff.Since(job.Told{State: "Running"}, &seen.Snapshot)[0]
	e, err := event.NewMinter(nil).Job(2, change, seen, seen.Asked)
	row, errRow := json.Marshal(e)
	_, subject, errAddress := event.Address("", id, row)
	_, errPublish := b.Publish(x.w.t.Context(), stream.Outgoing{Subject: subject, Filter: event.Filter("", id), ID: e.ID, ExpectLast: 1, Data: row})
	if err := errors.Join(err, errRow, errAddress, errPublish); err != nil {
		x.w.t.Error(err)
	}
}

func TestNoMoreIsInFlightThanWanted(t *testing.T) {
	w := newWorld(t)
	x := w.watcher("a.db")
	for number := range int64(50) {
		x.sees(number+1, "Running", "")
	}
	var mu sync.Mutex
	flying, most := 0, 0
	b := counting{w.broker(), func(by int) {
		mu.Lock()
		defer mu.Unlock()
		flying += by
		most = max(most, flying)
	}}
	p := New(Config{Store: x.store, Broker: b, InFlight: 3})
	stop := run(t, p.Run)
	w.until("all is sent", func() bool { return x.store.Unsent() == 0 })
	stop()
	if most > 3 || most == 0 {
		t.Errorf("%d were in flight at once, want at most 3", most)
	}
}

// counting is a broker that tells how many publishes begin and end.
type counting struct {
	Broker
	fly func(by int)
}

func (c counting) Publish(ctx context.Context, m stream.Outgoing) (uint64, error) {
	c.fly(1)
	defer c.fly(-1)
	return c.Broker.Publish(ctx, m)
}
