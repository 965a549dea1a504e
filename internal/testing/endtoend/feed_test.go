package endtoend

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
	"jobwatch/internal/sim"
	"jobwatch/internal/testing/slow"
)

// TestFeed has a watcher tick once an hour: what happens between is seen because the CommServe's feed names the jobs.
func TestFeed(t *testing.T) {
	slow.Test(t, "3 s", "the schedule of a real process is slow, and its feed is not")
	var now atomic.Int64
	play := sim.New(sim.Config{Clock: func() time.Duration { return time.Duration(now.Load()) }})
	play.Add(sim.Job{ID: 71, Client: "fall", Steps: []sim.Step{
		{State: "Running", Phase: "Scan"}, {At: 10 * time.Second, State: "Suspend Pending"}, {At: 20 * time.Second, State: "Suspended"},
	}})
	play.Add(sim.Job{ID: 72, Client: "winter", Steps: []sim.Step{{At: 20 * time.Second, State: "Running", Phase: "Scan"}}})
	w := newWorld(t, 1, play)
	w.edit(`"@every 1s"`, `"@every 1h"
    feed_every: 1s`)
	w.start()
	w.until("the feed is read", func() bool { return play.Counts()[sim.OpEvents] > 1 })
	w.judge()
	now.Store(int64(20 * time.Second))
	w.until("both changes are told", func() bool {
		var told []string
		for _, e := range w.read() {
			told = append(told, e.what)
		}
		return slices.Contains(told, "state: Running → Suspended") && slices.Contains(told, "state:  → Running") && len(told) == 5
	})
	w.judge()
	w.stop()
	if log := w.logOf("jobs.sim.71.fall.state.suspended"); len(log) != 2 || log[0].Code != "19:183" || log[1].Code != "19:1086" ||
		!strings.Contains(string(log[1].Text), "suspended by user admin") {
		t.Errorf("the log is %v, want what the feed told of the job", log)
	}
}

// logOf gives change.log of the last event under a subject.
func (w *world) logOf(subject string) []job.FeedEntry {
	w.t.Helper()
	stream, err := w.jetStream().Stream(w.t.Context(), "JOBS")
	if err != nil {
		w.t.Fatal(err)
	}
	message, err := stream.GetLastMsgForSubject(w.t.Context(), subject)
	if err != nil {
		w.t.Fatal(err)
	}
	e, err := event.Parse(message.Data)
	if err != nil {
		w.t.Fatal(err)
	}
	data, err := e.Job()
	if err != nil {
		w.t.Fatal(err)
	}
	return data.Change.Log
}
