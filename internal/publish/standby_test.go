package publish

import (
	"context"
	"reflect"
	"sync/atomic"
	"testing"

	"jobwatch/internal/job"
	"jobwatch/internal/stream"
)

// eachSpy counts the requests for a job's events.
type eachSpy struct {
	Broker
	asked atomic.Int64
}

func (s *eachSpy) Each(ctx context.Context, filter string, from uint64, yield func(stream.Message) error) error {
	return s.Broker.Each(ctx, filter, from, func(m stream.Message) error {
		if filter != ">" {
			s.asked.Add(1)
		}
		return yield(m)
	})
}

// A watcher that stands by reads each event of the others once, and knows what one knows that has read all of them.
func TestAStandbyFoldsOn(t *testing.T) {
	w := newWorld(t)
	x, y := w.watcher("a.db"), w.second("b.db")
	b := &eachSpy{Broker: w.broker()}
	p := x.standby(b)
	for i, state := range []job.Text{"Running", "Pending", "Running", "Failed"} {
		for number := range int64(10) {
			y.sees(number+1, state, "Scan")
		}
		y.sees(100+int64(i), "Running", "Scan") // a job that is new
		y.sees(100+int64(i), "Pending", "Scan")
		w.until("it is told", func() bool { return y.store.Unsent() == 0 })
		w.readsNow(p)
	}
	if n := b.asked.Load(); n > 0 {
		t.Errorf("%d events were asked for once more", n)
	}
	z := w.watcher("c.db")
	w.readsNow(z.standby(w.broker())) // all of it
	for number := range int64(10) {
		got, want := x.recalls(number+1), z.recalls(number+1)
		if !reflect.DeepEqual(got.Told, want.Told) || got.RefreshPending || got.Told.State != "Failed" || !got.Terminal {
			t.Errorf("%d: %+v, want what was told of it to be %+v", number+1, got, want.Told)
		}
	}
}

// Who polls reads the other's event of a job once too.
func TestAForeignEventThatIsTheNextIsFoldedOn(t *testing.T) {
	w := newWorld(t)
	x, y := w.watcher("a.db"), w.second("b.db")
	b := &eachSpy{Broker: w.broker()}
	x.followsTail(b)
	x.sees(71, "Running", "Scan")
	w.until("the other knows both", func() bool { return y.recalls(71).Told.Phase == "Scan" })
	w.until("all is sent", func() bool { return x.store.Unsent() == 0 })
	y.sees(71, "Pending", "")
	x.knows(71, "Pending")
	if known := x.recalls(71); known.Told.Phase != "Scan" || b.asked.Load() > 0 {
		t.Errorf("told is %+v, after %d events were asked for once more", known.Told, b.asked.Load())
	}
}

// Where it is not the next, or where ours wait to be sent, what was told is read from the stream.
func TestAForeignEventThatIsNotTheNextIsNotFoldedOn(t *testing.T) {
	t.Run("two have come", func(t *testing.T) {
		w := newWorld(t)
		x, y := w.watcher("a.db"), w.second("b.db")
		b := &readSpy{Broker: w.broker()}
		hears := b.holds("FollowHeaders")
		x.followsTail(b)
		x.sees(71, "Running", "Scan")
		w.until("the other knows both", func() bool { return y.recalls(71).Told.Phase == "Scan" })
		w.until("all is sent", func() bool { return x.store.Unsent() == 0 && y.store.Unsent() == 0 })
		y.sees(71, "Pending", "Backup")
		w.until("all is sent", func() bool { return y.store.Unsent() == 0 })
		hears()
		w.until("both are known", func() bool { return x.recalls(71).Told.Phase == "Backup" })
		if got := x.recalls(71).Told.State; got != "Pending" {
			t.Errorf("told is %q", got)
		}
	})
	t.Run("ours wait", func(t *testing.T) {
		w := newWorld(t)
		x, y := w.watcher("a.db"), w.second("b.db")
		x.sees(71, "Running", "Scan")
		x.publishes(w.broker())
		w.until("the other knows both", func() bool { return y.recalls(71).Told.Phase == "Scan" })
		x.sees(71, "Pending", "Scan") // not sent
		y.sees(71, "Running", "Backup")
		w.until("it is told", func() bool { return y.store.Unsent() == 0 })
		x.followsTail(w.broker())
		w.until("it is known", func() bool { return x.recalls(71).Told.Phase == "Backup" })
		x.sees(71, "Pending", "Backup")
		w.until("all is sent", func() bool { return x.store.Unsent() == 0 })
		w.holds(71, told, toldScan, "3 phase: Scan → Backup", "4 state: Running → Pending")
	})
}
