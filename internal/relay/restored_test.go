package relay

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"jobwatch/internal/stream"
	"jobwatch/internal/testing/ports"
	"jobwatch/internal/testing/slow"
)

// restorable is a world whose server can be stopped, and its folder replaced by a copy.
func newRestorable(t *testing.T) (w *world, stop, start func(), dir string) {
	t.Helper()
	w = &world{t: t, last: map[string]uint64{}, number: map[string]int{}}
	dir = filepath.Join(t.TempDir(), "nats")
	address := fmt.Sprintf("127.0.0.1:%d", ports.Free(t))
	stop = func() { w.server.Close() }
	start = func() {
		var err error
		if w.server, err = stream.StartEmbedded(stream.EmbeddedConfig{Listen: address, Dir: dir}); err != nil {
			t.Fatal(err)
		}
	}
	start()
	t.Cleanup(func() { stop() })
	w.broker = w.connect()
	return w, stop, start, dir
}

func replaceDir(t *testing.T, to, from string) {
	t.Helper()
	err := os.RemoveAll(to)
	if err == nil {
		err = os.CopyFS(to, os.DirFS(from))
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) writable() {
	w.t.Helper()
	until(w.t, "the stream can be written again", func() bool { _, err := w.broker.Ready(soon(w.t)); return err == nil })
}

// TestAllIsRestoredUnderARelayThatLives: what stands now where something stood that was delivered is delivered.
func TestAllIsRestoredUnderARelayThatLives(t *testing.T) {
	slow.Test(t, "10 s", "NATS is stopped twice, and found again")
	t.Parallel()
	w, stop, start, dir := newRestorable(t)
	w.tell(1, 2)
	to := &receiver{}
	w.relays(to)
	until(t, "all is delivered, and noted", func() bool { return to.count() == 2 && w.floor() == 2 })
	stop()
	backup := filepath.Join(t.TempDir(), "backup")
	replaceDir(t, backup, dir)
	start()
	w.writable()
	w.tell(3, 4)
	until(t, "two more are delivered", func() bool { return to.count() == 4 })
	stop()
	replaceDir(t, dir, backup)
	start()
	w.writable()
	w.tell(5, 6) // where 3 and 4 stood
	until(t, "they are delivered, too", func() bool { return len(to.ids(5)) == 1 && len(to.ids(6)) == 1 })
}

// TestAJobThatIsSetAsideWhenItsStreamIsRestored: what the stream holds now of the job, before what waited of it then, is
// delivered, though the relay dies before it can be.
func TestAJobThatIsSetAsideWhenItsStreamIsRestored(t *testing.T) {
	slow.Test(t, "15 s", "NATS is stopped twice, and found again")
	t.Parallel()
	w, stop, start, dir := newRestorable(t)
	w.tell(2, 2)
	to := &receiver{}
	r, end := w.relays(to)
	until(t, "all is delivered, and noted", func() bool { return to.count() == 2 && w.floor() == 2 })
	stop()
	backup := filepath.Join(t.TempDir(), "backup")
	replaceDir(t, backup, dir)
	start()
	w.writable()
	w.tell(1)
	until(t, "one of the job is delivered", func() bool { return len(to.ids(1)) == 1 })
	to.set(func(e *Event) error {
		if e.Job.Number == 1 {
			return &Refusal{Kind: Uncertain, Reason: "HTTP 500", Status: 500}
		}
		return nil
	})
	for range 200 {
		w.tell(1)
	}
	for n := range 30 {
		w.tell(3 + n)
	}
	until(t, "the job is set aside", func() bool { s := r.Status(); return s.Parked == 1 && s.Pending == 0 && w.floor() == 233 })
	stop()
	streams := filepath.Join("jetstream", "$G", "streams", "JOBS")
	replaceDir(t, filepath.Join(dir, streams), filepath.Join(backup, streams))
	start()
	w.writable()
	delete(w.last, "prod/1")
	w.tell(1) // where the one stood that was delivered
	until(t, "the relay has turned back", func() bool { return r.Status().State == Delivering && w.floor() == 3 })
	end()
	to.set(nil)
	w.relays(to)
	last := fmt.Sprintf("%s-%012d", epoch, 1000+w.number["prod/1"])
	until(t, "it is delivered", func() bool { return strings.Contains(strings.Join(to.ids(1), " "), last) })
}

// TestEveryPositionCounts: an event that was sent again may stand where it stood before, behind others that are new.
func TestEveryPositionCounts(t *testing.T) {
	w := newWorld(t)
	w.tell(1, 2, 3, 4, 5)
	is, err := w.broker.Info(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	at := func(sequence uint64) position {
		m, err := w.broker.At(soon(t), sequence)
		if err != nil {
			t.Fatal(err)
		}
		return position{sequence, m.ID}
	}
	r := New(w.config(&receiver{}))
	for name, row := range map[string]struct {
		was   record
		floor uint64
		whole bool
	}{
		"all stand":            {record{Floor: 5, Positions: []position{at(1), at(3), at(5)}}, 5, true},
		"the newest alone":     {record{Floor: 5, Positions: []position{at(1), {3, "another"}, at(5)}}, 1, false},
		"none":                 {record{Floor: 5, Positions: []position{{1, "another"}, at(5)}}, 0, false},
		"the end is lost":      {record{Floor: 9, Positions: []position{at(1), at(4), {9, "more"}}}, 4, false},
		"no position is known": {record{Floor: 9}, 0, false},
	} {
		row.was.Born = is.Created
		floor, whole, err := r.lastStanding(soon(t), row.was, is)
		if floor != row.floor || whole != row.whole || err != nil {
			t.Errorf("%s: up to %d, whole: %t, %v", name, floor, whole, err)
		}
	}
}

// TestTheBucketIsDeleted: the consumer tells how far the relay got; that the rest is gone is said.
func TestTheBucketIsDeleted(t *testing.T) {
	slow.Test(t, "5 s", "a place is noted at a beat")
	t.Parallel()
	w := newWorld(t)
	w.tell(1, 2)
	to := &receiver{}
	_, stop := w.relays(to)
	until(t, "two are delivered, and noted", func() bool { return to.count() == 2 && w.floor() == 2 })
	stop()
	if err := w.admin().DeleteKeyValue(soon(t), BucketName("JOBS")); err != nil {
		t.Fatal(err)
	}
	w.tell(1, 2)
	var said bytes.Buffer
	_, stop = w.relays(to, func(c *Config) { c.Log = slog.New(slog.NewTextHandler(&said, nil)) })
	until(t, "all is delivered, and noted", func() bool { return to.count() == 4 && w.floor() == 4 })
	stop()
	if inOrder(t, to.ids(0), w.number) > 0 || !strings.Contains(said.String(), "what the relay remembered is gone") {
		t.Errorf("%v arrived, and it says\n%s", to.ids(0), said.String())
	}
}
