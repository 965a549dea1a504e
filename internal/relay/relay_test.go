package relay

import (
	"testing"
	"time"

	"jobwatch/internal/testing/slow"
)

func TestEventsAreDeliveredInOrder(t *testing.T) {
	w := newWorld(t)
	for range 5 {
		w.tell(1, 2, 3, 4)
	}
	to := &receiver{}
	r, stop := w.relays(to)
	until(t, "20 events are delivered", func() bool { return to.count() == 20 })
	w.tell(1, 2)
	until(t, "two more are delivered", func() bool { return to.count() == 22 })
	if n := inOrder(t, to.ids(0), w.number); n > 0 {
		t.Errorf("%d repeats", n)
	}
	until(t, "all is settled", func() bool { s := r.Status(); return s.State == Delivering && s.Pending == 0 })
	stop()
	w.tell(1, 3)
	w.relays(to)
	until(t, "the next relay goes on", func() bool { return to.count() == 24 })
	if n := inOrder(t, to.ids(0), w.number); n > 0 {
		t.Errorf("%d repeats after a clean stop", n)
	}
}

func TestADestinationThatIsAwayLosesNothing(t *testing.T) {
	slow.Test(t, "10 s", "real pauses between tries")
	t.Parallel()
	w := newWorld(t)
	for range 3 {
		w.tell(1, 2, 3, 4, 5, 6)
	}
	to := &receiver{}
	to.set(func(*Event) error { return &Refusal{Kind: Away, Reason: "HTTP 401", Status: 401} })
	var n tally
	r, _ := w.relays(to, counts(&n), func(c *Config) { c.GiveUpAfter = time.Second })
	until(t, "it is away", func() bool { return r.Status().State == Absent })
	to.set(nil)
	until(t, "all is delivered", func() bool { return to.count() == 18 })
	if repeats := inOrder(t, to.ids(0), w.number); repeats > 0 {
		t.Errorf("%d repeats", repeats)
	}
	until(t, "it delivers again", func() bool { return r.Status().State == Delivering })
	if n.dead.Load() > 0 {
		t.Error("dead letters, of what time alone delivered")
	}
}

func TestAnUnfitEventIsADeadLetterAtTheThirdTry(t *testing.T) {
	slow.Test(t, "5 s", "real pauses between tries")
	t.Parallel()
	w := newWorld(t)
	w.tell(1, 2, 1, 2, 1)
	to := &receiver{}
	tries := 0
	bad := epoch + "-000000001002"
	to.set(func(e *Event) error {
		if e.ID == bad {
			tries++
			return &Refusal{Kind: Unfit, Reason: "HTTP 400: no\r\nsuch thing", Status: 400}
		}
		return nil
	})
	var n tally
	w.relays(to, counts(&n))
	until(t, "the others are delivered", func() bool { return to.count() == 4 })
	if tries != 3 || n.dead.Load() != 1 || n.failed.Load() != 3 || n.delivered.Load() != 4 {
		t.Errorf("%d tries, %d dead, %d failed, %d delivered", tries, n.dead.Load(), n.failed.Load(), n.delivered.Load())
	}
	var letters []Letter
	err := Dead(soon(t), w.broker, "JOBS", "", "ops", Selection{}, func(l Letter) error { letters = append(letters, l); return nil })
	if err != nil || len(letters) != 1 {
		t.Fatal(letters, err)
	}
	if l := letters[0]; l.ID != bad || l.Status != 400 || l.Tries != 3 || l.Reason != "HTTP 400: no  such thing" || l.Name != "prod/1" ||
		l.Subject != "jobs.prod.1.fall.state.running" || l.record != "relays.ops.dead.prod.1."+bad || l.FirstTry.IsZero() || l.LastTry.Before(l.FirstTry) {
		t.Errorf("%+v", l)
	}
	to.set(nil)
	if n, err := Redrive(soon(t), w.broker, "JOBS", "", "ops", Selection{ID: bad}); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	until(t, "it is delivered after all", func() bool { return to.count() == 5 })
	until(t, "it leaves the list", func() bool {
		all, err := Statuses(soon(t), w.broker, "JOBS", "", []string{"ops"})
		return err == nil && all[0].Dead == 0
	})
}

func TestARefusedJobHoldsUpNoOther(t *testing.T) {
	slow.Test(t, "5 s", "real pauses between tries")
	t.Parallel()
	w := newWorld(t)
	for range 300 {
		w.tell(1)
	}
	for n := range 100 {
		w.tell(n+2, n+2)
	}
	to := &receiver{}
	to.set(func(e *Event) error {
		if e.Job.Number == 1 {
			return &Refusal{Kind: Uncertain, Reason: "HTTP 500", Status: 500}
		}
		return nil
	})
	r, stop := w.relays(to)
	until(t, "all others are delivered", func() bool { return to.count() == 200 })
	until(t, "the job is parked", func() bool { return r.Status().Parked == 1 && r.Status().Pending == 0 })
	stop()
	w.tell(1, 2)
	to.set(nil)
	r, _ = w.relays(to)
	until(t, "all is delivered", func() bool { return to.count() == 502 })
	if n := inOrder(t, to.ids(0), w.number); n > 0 {
		t.Errorf("%d repeats", n)
	}
	until(t, "no job is parked", func() bool { return r.Status().Parked == 0 })
	w.tell(1, 2)
	until(t, "it goes on as others do", func() bool { return to.count() == 504 })
}

func TestARelayThatIsOffKeepsAll(t *testing.T) {
	slow.Test(t, "5 s", "orders are read at each beat")
	t.Parallel()
	w := newWorld(t)
	to := &receiver{}
	r, _ := w.relays(to)
	until(t, "it delivers", func() bool { return r.Status().State == Delivering })
	if err := TurnOff(soon(t), w.broker, "JOBS", "ops", "maintenance"); err != nil {
		t.Fatal(err)
	}
	until(t, "it is off", func() bool { return r.Status().State == Off })
	w.tell(1, 2, 1)
	if to.count() > 0 {
		t.Error("delivered while it is off")
	}
	if err := TurnOn(soon(t), w.broker, "JOBS", "ops"); err != nil {
		t.Fatal(err)
	}
	until(t, "all is delivered", func() bool { return to.count() == 3 })
	inOrder(t, to.ids(0), w.number)
}
