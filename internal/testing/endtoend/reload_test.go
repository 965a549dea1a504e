package endtoend

import (
	"fmt"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"jobwatch/internal/sim"
	"jobwatch/internal/testing/slow"
)

// edit replaces words in the configuration's file.
func (w *world) edit(pairs ...string) {
	w.t.Helper()
	text, err := os.ReadFile(w.config)
	if err != nil {
		w.t.Fatal(err)
	}
	edited := strings.NewReplacer(pairs...).Replace(string(text))
	if edited == string(text) {
		w.t.Fatalf("%q change nothing in\n%s", pairs, text)
	}
	if err := os.WriteFile(w.config, []byte(edited), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) hangUp() {
	w.t.Helper()
	if err := w.child.Process.Signal(syscall.SIGHUP); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) says(what string) {
	w.t.Helper()
	w.until("it says "+what, func() bool { return strings.Contains(w.said.String(), what) })
}

// asked is how often the watcher has asked for a job.
func asked(s *sim.Sim, number int64) int {
	n := 0
	for _, a := range s.Served() {
		if a.JobID == number {
			n++
		}
	}
	return n
}

// TestReload edits the configuration of a running watcher.
func TestReload(t *testing.T) {
	slow.Test(t, "6 s", "a running watcher reads its file once a second, twice")
	play := sim.New(sim.Config{})
	other := sim.New(sim.Config{})
	for number := int64(71); number <= 73; number++ {
		play.Add(sim.Job{ID: number, Client: "fall", Steps: []sim.Step{{At: -time.Minute, State: "Running", Phase: "Scan"}}})
	}
	other.Add(sim.Job{ID: 5, Client: "winter", Steps: []sim.Step{{At: -time.Minute, State: "Running", Phase: "Scan"}}})
	second := httptest.NewServer(other)
	t.Cleanup(second.Close)
	w := newWorld(t, 1, play)
	w.edit("schedule:", "discover: {enabled: false}\n    jobs: [71]\n    schedule:")
	w.start()
	w.until("71 is asked for", func() bool { return asked(play, 71) > 0 })

	w.edit("[71]", "[71, 72]")
	w.hangUp()
	w.until("72, added, is asked for", func() bool { return asked(play, 72) > 0 })
	w.hangUp()
	w.says("the configuration is the one in force")

	w.edit("[71, 72]", "[71, 72, 73]", "\nhttp:", "\ncluster: {instance: a}\nhttp:")
	w.says("taken at the next start: cluster")
	w.until("73, added without a signal, is asked for", func() bool { return asked(play, 73) > 0 })

	w.edit("[71, 72, 73]", "[71, seventy-two]")
	w.says("the configuration is refused, and the old one goes on")
	before := asked(play, 73)
	w.until("the old one goes on", func() bool { return asked(play, 73) > before+1 })

	cell := fmt.Sprintf("\n  - name: second\n    url: %s/webconsole/api\n    auth: {username: watcher, password: watcher}\n    schedule: \"@every 1s\"\nnats:", second.URL)
	w.edit("[71, seventy-two]", "[71]", "\nnats:", cell)
	w.says("sim has changed, second is new")
	w.until("the second CommCell is asked", func() bool { return asked(other, 5) > 1 })
	typed(t, "jobs", "untrack", "sim/71", "-c", w.config).Fails(t, failed, "tracked by the configuration")
	typed(t, "jobs", "track", "second/9", "-c", w.config).Succeeds(t, "tracked")

	w.edit(cell, "\nnats:", `listen: ""`, `listen: "127.0.0.1:0"`)
	w.says("second is no longer followed")
	w.says("taken at the next start: http")
	last := asked(other, 5)
	w.progress(4)
	if now := asked(other, 5); now > last+1 { // one may have been under way
		t.Errorf("the second CommCell was asked %d times after it was taken out", now-last)
	}
	w.kill()
}

// TestReloadLosesNothing has the configuration change again and again while jobs live.
func TestReloadLosesNothing(t *testing.T) {
	slow.Test(t, "8 s", "the file is edited again and again while jobs move")
	const jobs = 40
	clock := &lifeClock{step: 30 * time.Millisecond}
	w := newWorld(t, 3, sim.New(sim.Config{Seed: 3, Jobs: jobs, Clock: clock.now}), clock.turnedBy)
	w.clock = clock
	w.edit("schedule:", "concurrency: 8\n    schedule:")
	w.start()
	w.progress(jobs)
	for round := range 12 {
		from, to := 8-round%2, 7+round%2
		began := time.Now()
		w.edit(fmt.Sprintf("concurrency: %d", from), fmt.Sprintf("concurrency: %d", to))
		w.hangUp()
		w.until("it is taken", func() bool { return strings.Count(w.said.String(), "sim has changed") > round })
		w.kills = append(w.kills, doubt{began, time.Now()}) // what is being asked then is given up, as at a restart
		w.progress(1 + w.random.IntN(jobs))
	}
	clock.run(10)
	w.until("every job's end is seen", func() bool { return allEnded(w.sim.Served(), jobs) })
	w.judge()
	w.stop()
}
