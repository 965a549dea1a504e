package publish

import (
	"testing"

	"jobwatch/internal/store"
)

// TestAForeignEventBehindOurOwn reads a stream from its start, in which another watcher's event lies behind our own
// acknowledged ones: those are not kept, and yet they were told.
func TestAForeignEventBehindOurOwn(t *testing.T) {
	w := newWorld(t)
	x, y := w.watcher("a.db"), w.watcher("b.db")
	x.sees(71, "Running", "Scan")
	x.publishes(w.broker())
	y.publishes(w.broker())
	y.catchesUp(71)
	y.sees(71, "Pending", "")
	y.publishes(w.broker())
	if err := x.store.SetCursor(store.Cursor{}); err != nil {
		t.Fatal(err)
	}
	x.catchesUp(71)
	x.sees(71, "Pending", "Scan")
	x.publishes(w.broker())
	w.holds(71, "1 state:  → Running", "2 phase:  → Scan", "3 state: Running → Pending")
}
