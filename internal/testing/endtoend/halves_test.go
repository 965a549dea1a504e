package endtoend

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"jobwatch/internal/sim"
	"jobwatch/internal/testing/slow"
)

// startMute has, in the place of NATS, a server that is connected to and serves nothing: what asks its JetStream waits,
// as where two of three servers are down.
func (w *world) startMute() (stop func()) {
	w.t.Helper()
	at, err := url.Parse("nats://" + w.proxy.target)
	if err != nil {
		w.t.Fatal(err)
	}
	port, _ := strconv.Atoi(at.Port())
	mute, err := server.NewServer(&server.Options{Host: at.Hostname(), Port: port, NoSigs: true})
	if err != nil {
		w.t.Fatal(err)
	}
	mute.Start()
	w.until("the mute server listens", func() bool { return mute.ReadyForConnections(10 * time.Millisecond) })
	nc, err := nats.Connect(mute.ClientURL())
	if err == nil {
		_, err = nc.Subscribe("$JS.API.>", func(*nats.Msg) {}) // or the server says that nobody is there
	}
	if err == nil {
		err = nc.Flush()
	}
	if err != nil {
		w.t.Fatal(err)
	}
	stop = func() { nc.Close(); mute.Shutdown(); mute.WaitForShutdown() }
	w.t.Cleanup(stop)
	return stop
}

// TestPollsWhileNATSDoesNotServe starts a watcher with a new store beside a stream that its NATS gives no answer about:
// it polls, and takes an edited configuration. Once the stream can be read, what was told is not told again.
func TestPollsWhileNATSDoesNotServe(t *testing.T) {
	slow.Test(t, "6 s", "the start waits five seconds for the stream, and no longer")
	var now atomic.Int64
	play := sim.New(sim.Config{Clock: func() time.Duration { return time.Duration(now.Load()) }})
	for number := int64(1); number <= outageJobs; number++ {
		play.Add(sim.Job{ID: number, Client: fmt.Sprint("client-", number), Steps: []sim.Step{
			{State: "Running", Phase: "Scan"},
			{At: 2 * time.Second, State: "Running", Phase: "Backup"},
			{At: 4 * time.Second, State: "Completed"},
		}})
	}
	w := newWorld(t, 1, play)
	w.start()
	w.seen("Running", "Scan")
	w.judge()
	w.stop()

	w.stopNATS()
	stopMute := w.startMute()
	w.edit("watcher.db", "another.db")
	before := len(w.said.String())
	w.start()
	w.until("it is connected", func() bool { return strings.Contains(w.said.String()[before:], "connected to NATS at") })
	w.edit("schedule:", "concurrency: 7\n    schedule:") // while the start waits for the stream
	w.says("sim has changed")
	w.says("polling starts before the stream was read")
	now.Store(int64(2 * time.Second))
	w.seen("Running", "Backup")

	stopMute()
	w.startNATS(w.proxy.target)
	w.judge()
	now.Store(int64(4 * time.Second))
	w.seen("Completed", "")
	w.judge()
	w.stop()
	if said := w.said.String()[before:]; strings.Contains(said, "<nil>") {
		t.Errorf("it says\n%s", said)
	}
	if got, want := len(w.read()), outageJobs*4; got != want {
		t.Errorf("%d events, want %d", got, want)
	}
}
