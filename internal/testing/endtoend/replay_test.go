package endtoend

import (
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"jobwatch/internal/sim"
	"jobwatch/internal/testing/slow"
	"jobwatch/internal/testing/terminal"
)

// TestReplayOnTheCommandLine has a relay that runs elsewhere deliver once more what a command line names, also when it is off or
// its receiver is away just then.
func TestReplayOnTheCommandLine(t *testing.T) {
	t.Parallel()
	slow.Test(t, "40 s", "orders are read at a beat, and a receiver that was away is tried again later")
	r := newRelayed(t, "start: all")
	r.startRelay()
	r.changes()
	r.noted()
	replay := func(more ...string) terminal.Said {
		return typed(t, append([]string{"replay", "--since", "1h", "--to", "hook", "-c", r.config}, more...)...)
	}
	doneWith := func(said terminal.Said, events int) {
		t.Helper()
		if !strings.HasSuffix(said.Succeeds(t).Errs, fmt.Sprintf("the relay hook is done with %d events\n", events)) || said.Out != "" {
			t.Errorf("it says %q and %q", said.Out, said.Errs)
		}
	}
	doneWith(replay(), 2*relayedJobs)
	for job, sequences := range r.to.arrived() {
		if got := strings.Join(sequences, " "); got != strings.TrimSpace(strings.Repeat(fmt.Sprintf("%020d %020d ", 1, 2), 2)) {
			t.Errorf("%s: %s", job, got)
		}
	}
	if r.to.last().Get("Jobwatch-Replayed") != "true" {
		t.Errorf("the headers are %v", r.to.last())
	}
	doneWith(replay("--subject", "jobs.sim.71.>"), 2)
	if got := r.to.count(); got != 4*relayedJobs+2 {
		t.Errorf("%d deliveries", got)
	}

	waits := func(why string, deliveries int, mend func()) {
		t.Helper()
		before := r.to.count()
		var errs log
		c := r.command(&errs, "replay", "--since", "1h", "--subject", "jobs.sim.72.>", "--to", "hook")
		r.until("it says why it waits", func() bool { return strings.Contains(errs.String(), why) }, errs.String)
		mend()
		if err := c.Wait(); err != nil || !strings.HasSuffix(errs.String(), "the relay hook is done with 2 events\n") {
			t.Errorf("%v: %s", err, errs.String())
		}
		r.until("all is delivered", func() bool { return r.to.count()-before >= deliveries })
	}
	typed(t, "relay", "off", "hook", "--reason", "moving house", "-c", r.config).Succeeds(t)
	r.relaySays("relay is off")
	waits("the relay hook is off: turned off by hand. moving house; this waits until it delivers\n", 2, func() {
		typed(t, "relay", "on", "hook", "-c", r.config).Succeeds(t)
	})
	r.to.answers(http.StatusServiceUnavailable)
	r.state++
	r.sim.Add(sim.Job{ID: relayedFirst, Client: "fall", Steps: []sim.Step{{At: -time.Minute, State: turns[r.state]}}})
	r.until("it is away", func() bool { return r.status().State == "away" })
	waits("the relay hook is away: HTTP 503", 3, func() { r.to.answers(http.StatusNoContent) })
	r.arrives(0)
	if got := r.to.count(); got != 4*relayedJobs+2+2+3 {
		t.Errorf("%d deliveries", got)
	}
	r.endRelay()
	r.stop()
}

// TestWaitForAJob is the command as a script uses it: the exit status says how the job went.
func TestWaitForAJob(t *testing.T) {
	t.Parallel()
	slow.Test(t, "6 s", "a real process polls once a second")
	w, change := followed(t)
	wait := func(said *log, words ...string) (status func() int) {
		c := w.command(said, append([]string{"wait"}, words...)...)
		return func() int {
			var exit *exec.ExitError
			if err := c.Wait(); errors.As(err, &exit) {
				return exit.ExitCode()
			} else if err != nil {
				t.Fatal(err)
			}
			return done
		}
	}
	var said [5]log
	failing := wait(&said[0], "sim/71", "--timeout", "2m")
	suspended := wait(&said[1], "sim/72", "--until", "suspended", "--timeout", "2m")
	never := wait(&said[2], "sim/72", "--until", "pending", "--timeout", "10s") // time enough to read what was told, on a busy machine
	unseen := wait(&said[3], "sim/99", "--track", "--timeout", "2m")
	if got := never(); got != 7 || !strings.Contains(said[2].String(), `sim/72: time is up; it is "Running"`) {
		t.Errorf("status %d: %s", got, said[2].String())
	}
	change(71, "Failed")
	change(72, "Suspended")
	change(99, "Killed")
	for n, row := range []struct {
		ended func() int
		want  int
	}{{failing, 4}, {suspended, done}, {unseen, 5}} {
		if got := row.ended(); got != row.want {
			t.Errorf("the wait %d: status %d, want %d: %s", n, got, row.want, said[n].String())
		}
	}
	if got := wait(&said[4], "sim/71")(); got != 4 { // what has happened before
		t.Errorf("status %d: %s", got, said[4].String())
	}
	w.stop()
}
