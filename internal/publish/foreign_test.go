package publish

import (
	"testing"
	"time"

	"jobwatch/internal/job"
	"jobwatch/internal/store"
)

// forgets has all that may be forgotten be forgotten.
func (x *watcher) forgets(want int) {
	x.w.t.Helper()
	if forgotten, err := x.store.Forget("prod", time.Now().Add(time.Hour)); forgotten != want || err != nil {
		x.w.t.Fatalf("%d jobs are forgotten, want %d (%v)", forgotten, want, err)
	}
}

// TestOurOwnEventsOfAForgottenJobAreNobodyElses reads them back after the store has forgotten whose they are.
func TestOurOwnEventsOfAForgottenJobAreNobodyElses(t *testing.T) {
	w := newWorld(t)
	x := w.watcher("a.db")
	p := New(Config{Store: x.store, Broker: w.broker(), Round: time.Hour})
	stop := run(t, p.Run)
	<-p.CaughtUp()
	ended, untracked := job.ID{CommCell: "prod", Number: 71}, job.ID{CommCell: "prod", Number: 72}
	x.sees(71, "Completed", "")
	x.sees(72, "Running", "Scan")
	w.until("all is sent", func() bool { return x.store.Unsent() == 0 })
	stop()
	if err := x.store.Track(store.ByHand, untracked); err != nil {
		t.Fatal(err)
	}
	if err := x.store.Untrack(untracked); err != nil {
		t.Fatal(err)
	}
	x.forgets(2)
	if err := p.ReadBack(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, id := range []job.ID{ended, untracked} {
		if _, known, err := x.store.Show(id); known || err != nil {
			t.Errorf("%s is known again (%v)", id, err)
		}
	}
	if others := p.ForeignWrites(); len(others) > 0 {
		t.Errorf("another watcher is said to tell of %v", others)
	}
}

// TestAForgottenNumberThatComesAgainIsNobodyElses has the broker refuse what follows our own event.
func TestAForgottenNumberThatComesAgainIsNobodyElses(t *testing.T) {
	w := newWorld(t)
	x := w.watcher("a.db")
	p := x.followsTail(w.broker())
	x.sees(71, "Completed", "")
	w.until("all is sent", func() bool { return x.store.Unsent() == 0 })
	x.forgets(1)
	x.sees(71, "Running", "") // nothing tells that it is another job
	w.until("what was told is read", func() bool { return x.recalls(71).RefreshPending })
	x.sees(71, "Running", "")
	w.until("all is sent", func() bool { return x.store.Unsent() == 0 })
	w.holds(71, "1 state:  → Completed", "2 state: Completed → Running")
	if others := p.ForeignWrites(); len(others) > 0 {
		t.Errorf("another watcher is said to tell of %v", others)
	}
}

// TestAMemberIsNoOtherWatcher shares the CommCell with one watcher, and not with another.
func TestAMemberIsNoOtherWatcher(t *testing.T) {
	w := newWorld(t)
	x, y := w.watcher("a.db"), w.second("b.db")
	var log logbook
	p := x.followsTail(w.broker(), func(c *Config) {
		c.Log, c.Sibling = log.logger(), func(epoch string) bool { return epoch == y.store.Epoch() }
	})
	y.sees(71, "Running", "")
	x.knows(71, "Running")
	if others := p.ForeignWrites(); len(others) > 0 || log.count("another watcher tells") > 0 {
		t.Errorf("another watcher is said to tell of %v:\n%s", others, log.String())
	}
	z := w.second("c.db")
	z.sees(72, "Running", "")
	x.knows(72, "Running")
	if others := p.ForeignWrites()["prod"]; others != 1 || log.count("another watcher tells") != 1 {
		t.Errorf("a stray is said to have told %d times:\n%s", others, log.String())
	}
}
