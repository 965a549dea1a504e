package publish

import (
	"errors"
	"testing"
	"time"

	"jobwatch/internal/job"
	"jobwatch/internal/stream"
)

// Another watcher has told one of the two events of what it saw. Its event's job shows both: the other is still to be
// told.
func TestAnAdoptionGoesByAllThatWasTold(t *testing.T) {
	w := newWorld(t)
	x, y := w.watcher("a.db"), w.watcher("b.db")
	id := job.ID{CommCell: "prod", Number: 71}
	x.sees(71, "Running", "Scan")
	x.publishes(w.broker())
	y.publishes(w.broker())
	y.catchesUp(71)
	b := stream.New(stream.Config{URL: w.server.ClientURL()})
	run(t, b.Run)
	deaf := &tailSpy{Broker: b, failing: errors.New("no right")} // it learns of the other's event by a refusal, not by hearing
	p := New(Config{Store: x.store, Broker: deaf, Round: time.Hour})
	run(t, p.Run)
	<-p.CaughtUp()
	y.sees(71, "Pending", "Backup")
	w.sendAndForget(y, 1)
	x.sees(71, "Suspended", "Scan") // held, and refused
	w.until("a look is owed", func() bool {
		known, err := x.store.Recall(id)
		return err == nil && known.RefreshPending
	})
	x.sees(71, "Suspended", "Backup")
	w.until("all is sent", func() bool { return x.store.Unsent() == 0 })
	w.holds(71, told, toldScan, "3 state: Running → Pending", "4 state: Pending → Suspended", "5 phase: Scan → Backup")
}
