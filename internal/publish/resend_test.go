package publish

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"jobwatch/internal/failpoint"
	"jobwatch/internal/job"
	"jobwatch/internal/stream"
	"jobwatch/internal/testing/slow"
)

const told, toldScan, toldBackup = "1 state:  → Running", "2 phase:  → Scan", "3 phase: Scan → Backup"

// keeper is a watcher that keeps what was sent, and has told the first two events of jobs 71 and 72.
func (w *world) keeper(name string) *watcher {
	w.t.Helper()
	x := w.watcher(name)
	x.store.KeepSent = time.Hour
	x.sees(71, "Running", "Scan")
	x.sees(72, "Running", "Scan")
	x.publishes(w.broker())
	return x
}

func (w *world) js() jetstream.JetStream {
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

// forgets has the server forget all that happens in between: it goes on with an older copy of its folder.
func (w *world) forgets(between func()) {
	w.t.Helper()
	listen := strings.TrimPrefix(w.server.ClientURL(), "nats://")
	data, copied := filepath.Join(w.dir, "nats"), filepath.Join(w.dir, "copy")
	w.stopServer()
	w.copyDir(data, copied)
	w.startServer(listen)
	between()
	w.stopServer()
	if err := os.RemoveAll(data); err != nil {
		w.t.Fatal(err)
	}
	w.copyDir(copied, data)
	w.startServer(listen)
}

func (w *world) copyDir(from, to string) {
	w.t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) recreates() {
	w.t.Helper()
	if err := w.js().DeleteStream(w.t.Context(), "JOBS"); err != nil {
		w.t.Fatal(err)
	}
}

// shortWindow makes a stream whose broker forgets the ids of messages at once, as it else does after two minutes.
func (w *world) shortWindow() {
	w.t.Helper()
	if _, err := w.broker().Ready(w.t.Context()); err != nil { // makes the stream
		w.t.Fatal(err)
	}
	config := w.info().Config
	config.Duplicates = 100 * time.Millisecond
	if _, err := w.js().UpdateStream(w.t.Context(), config); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) info() *jetstream.StreamInfo {
	w.t.Helper()
	info, err := w.jetStream().Info(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return info
}

// lossRows make the broker lose events. The watcher then connects again.
var lossRows = []struct {
	words string
	loses func(w *world, x *watcher)
	want  []string // of job 71
}{
	{
		"the stream was made anew",
		func(w *world, x *watcher) { w.recreates() },
		[]string{told, toldScan},
	},
	{
		"the stream was made anew, and something is unsent",
		func(w *world, x *watcher) { w.recreates(); x.sees(71, "Running", "Backup") },
		[]string{told, toldScan, toldBackup},
	},
	{
		"an older copy",
		func(w *world, x *watcher) {
			w.forgets(func() { x.sees(71, "Running", "Backup"); x.sees(72, "Pending", "Scan"); x.publishes(w.broker()) })
		},
		[]string{told, toldScan, toldBackup},
	},
	{
		"an older copy, and something is unsent",
		func(w *world, x *watcher) {
			w.forgets(func() { x.sees(71, "Running", "Backup"); x.publishes(w.broker()) })
			x.sees(71, "Completed", "")
		},
		[]string{told, toldScan, toldBackup, "4 state: Running → Completed"},
	},
	{
		"an older copy, which another watcher has filled up with other jobs",
		func(w *world, x *watcher) {
			w.forgets(func() { x.sees(71, "Running", "Backup"); x.publishes(w.broker()) })
			w.watcher("b.db").fills(9)
		},
		[]string{told, toldScan, toldBackup},
	},
	{
		"an older copy, in which another watcher has told something else",
		func(w *world, x *watcher) {
			w.forgets(func() { x.sees(71, "Running", "Backup"); x.sees(71, "Running", "Archive"); x.publishes(w.broker()) })
			y := w.watcher("b.db")
			y.publishes(w.broker())
			y.catchesUp(71)
			y.sees(71, "Pending", "Scan")
			y.publishes(w.broker())
			x.sees(71, "Completed", "")
		},
		[]string{told, toldScan, "3 state: Running → Pending", "4 state: Pending → Killed", "5 failure: Pending → Killed"},
	},
	{
		"the last message is gone",
		func(w *world, x *watcher) {
			x.sees(71, "Running", "Backup")
			x.publishes(w.broker())
			w.deleteLast()
		},
		[]string{told, toldScan, toldBackup},
	},
	{
		"what was purged is not lost",
		func(w *world, x *watcher) {
			if err := w.jetStream().Purge(w.t.Context()); err != nil {
				w.t.Fatal(err)
			}
			x.sees(71, "Running", "Backup")
		},
		[]string{toldBackup},
	},
	{
		"what aged is not lost, and what came behind it is",
		func(w *world, x *watcher) {
			x.sees(71, "Running", "Backup")
			x.publishes(w.broker())
			if err := w.jetStream().Purge(w.t.Context(), jetstream.WithPurgeSequence(w.info().State.LastSeq)); err != nil {
				w.t.Fatal(err)
			}
			w.forgets(func() { x.sees(71, "Completed", ""); x.publishes(w.broker()) })
		},
		[]string{toldBackup, "4 state: Running → Completed"},
	},
	{
		"another watcher spoke last",
		func(w *world, x *watcher) {
			y := w.watcher("b.db")
			y.publishes(w.broker())
			y.catchesUp(71)
			y.sees(71, "Pending", "Scan")
			y.publishes(w.broker())
		},
		[]string{told, toldScan, "3 state: Running → Pending", "4 state: Pending → Killed", "5 failure: Pending → Killed"},
	},
	{
		"nothing is kept",
		func(w *world, x *watcher) {
			x.keepsNothing()
			w.recreates()
			x.sees(71, "Running", "Backup")
		},
		[]string{toldBackup},
	},
	{
		"nothing is kept, and another watcher has filled a new stream beyond what was read of the old one",
		func(w *world, x *watcher) {
			x.connects()
			x.keepsNothing()
			w.recreates()
			y := w.watcher("b.db")
			y.sees(71, "Pending", "Scan")
			y.sees(71, "Suspended", "Scan")
			y.publishes(w.broker())
			y.fills(w.info().State.LastSeq + 9)
		},
		[]string{"1 state:  → Pending", "2 phase:  → Scan", "3 state: Pending → Suspended",
			"4 state: Suspended → Killed", "5 failure: Suspended → Killed"},
	},
	{
		"nothing is kept, and another watcher has spoken in an older copy",
		func(w *world, x *watcher) {
			x.keepsNothing()
			w.forgets(func() { x.fills(19); x.connects() })
			y := w.watcher("b.db")
			y.publishes(w.broker())
			y.catchesUp(71)
			y.sees(71, "Pending", "Scan")
			y.publishes(w.broker())
		},
		[]string{told, toldScan, "3 state: Running → Pending", "4 state: Pending → Killed", "5 failure: Pending → Killed"},
	},
}

// fills has a watcher tell of so many other jobs.
func (x *watcher) fills(jobs uint64) {
	x.w.t.Helper()
	for number := int64(1); number <= int64(jobs); number++ {
		x.sees(number, "Running", "")
	}
	x.publishes(x.w.broker())
}

// keepsNothing is a start with keep_sent: 0, or on_new_stream: continue, where the one before has kept something.
func (x *watcher) keepsNothing() { x.store.KeepSent = 0 }

func TestABrokerThatForgets(t *testing.T) {
	slow.Test(t, "2 s", "a real server loses its end in each way that is known")
	for _, row := range lossRows {
		t.Run(row.words, func(t *testing.T) {
			w := newWorld(t)
			w.shortWindow()
			x := w.keeper("a.db")
			row.loses(w, x)
			x.connects()
			w.holds(71, row.want...)
			before := w.info().State.Msgs
			x.connects()
			if after := w.info().State.Msgs; after != before {
				t.Errorf("the next connection brings %d messages more", after-before)
			}
			x.sees(72, "Killed", "Scan")
			x.connects()
			if told := w.stream(72); !strings.HasSuffix(told[len(told)-1], "→ Killed") {
				t.Errorf("job 72 has stopped: %q", told)
			}
		})
	}
}

// connects reads the stream, and lets a look that is owed answer that job 71 was killed.
func (x *watcher) connects() {
	x.w.t.Helper()
	p := x.publisher(x.w.broker())
	stop := run(x.w.t, p.Run)
	select {
	case <-p.CaughtUp():
	case <-time.After(20 * time.Second):
		x.w.t.Fatal("the stream is not read")
	}
	stop()
	x.settles()
}

// TestABrokerThatForgetsAndACrash crashes in each transaction of the way back.
func TestABrokerThatForgetsAndACrash(t *testing.T) {
	slow.Test(t, "5 s", "a crash at every step of sending again")
	for _, row := range lossRows[:4] {
		for _, point := range []failpoint.Point{failpoint.BeforeCommit, failpoint.AfterCommit} {
			for nth := range 6 {
				t.Run(fmt.Sprintf("%s/%s/%d", row.words, point, nth), func(t *testing.T) {
					w := newWorld(t)
					x := w.keeper("a.db")
					row.loses(w, x)
					x.crashes(point, nth)
					x.store.KeepSent = time.Hour
					x.connects()
					w.holds(71, row.want...)
				})
			}
		}
	}
}

// What was found lost once is not found lost at each connection: the position of our event stays another's for ever.
func TestALossIsFoundOnce(t *testing.T) {
	w := newWorld(t)
	w.shortWindow()
	x := w.keeper("a.db")
	w.forgets(func() { x.sees(71, "Running", "Backup"); x.publishes(w.broker()) })
	y := w.watcher("b.db")
	y.publishes(w.broker())
	y.catchesUp(71)
	y.sees(71, "Pending", "Archive") // two events, one of them in the place of ours
	y.publishes(w.broker())

	var log logbook
	for range 3 {
		p := New(Config{Store: x.store, Broker: w.broker(), Log: log.logger()})
		stop := run(t, p.Run)
		<-p.CaughtUp()
		stop()
	}
	if got := log.count("the stream has lost what it held"); got != 1 {
		t.Errorf("the loss is found %d times:\n%s", got, log.String())
	}
}

func TestOnlySomeAreKept(t *testing.T) {
	w := newWorld(t)
	x := w.watcher("a.db")
	x.sees(71, "Running", "Scan")
	x.publishes(w.broker())
	x.store.KeepSent = time.Hour
	x.sees(71, "Running", "Backup")
	x.publishes(w.broker())
	w.recreates()
	x.sees(71, "Completed", "")
	x.connects()
	w.holds(71, toldBackup, "4 state: Running → Completed")
}

// Two watchers that took turns hold one part each of what was lost. Whoever comes first, the order holds.
func TestTwoWatchersSendAgain(t *testing.T) {
	for _, yFirst := range []bool{false, true} {
		t.Run(fmt.Sprint(yFirst), func(t *testing.T) {
			w := newWorld(t)
			x, y := w.keeper("a.db"), w.watcher("b.db")
			y.store.KeepSent = time.Hour
			y.publishes(w.broker())
			y.catchesUp(71)
			y.sees(71, "Running", "Backup")
			y.sees(71, "Running", "Archive")
			y.publishes(w.broker())
			w.recreates()
			want := []string{told, toldScan, toldBackup, "4 phase: Backup → Archive"}
			if yFirst {
				y.connects()
				want = append(want[2:], "5 state: Running → Killed", "6 failure: Running → Killed")
			}
			x.connects()
			y.connects()
			w.holds(71, want...)
		})
	}
}

// While it publishes, a message of one job is removed: the next one of the job finds out.
func TestLostWithinAConnection(t *testing.T) {
	w := newWorld(t)
	w.shortWindow()
	x := w.keeper("a.db")
	b := stream.New(stream.Config{URL: w.server.ClientURL()})
	run(t, b.Run)
	p := New(Config{Store: x.store, Broker: b, Round: time.Hour})
	run(t, p.Run)
	<-p.CaughtUp()
	sent, err := x.store.Acknowledged(job.ID{CommCell: "prod", Number: 71})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.jetStream().DeleteMsg(t.Context(), sent.Stream); err != nil {
		t.Fatal(err)
	}
	x.sees(71, "Running", "Backup")
	w.until("all is sent", func() bool { return x.store.Unsent() == 0 })
	w.holds(71, told, toldScan, toldBackup)
}
