package endtoend

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"jobwatch/internal/cli"
	"jobwatch/internal/event"
	"jobwatch/internal/sim"
	"jobwatch/internal/testing/slow"
)

// TestBesideARunningWatcher types every command that works beside a running watcher.
func TestBesideARunningWatcher(t *testing.T) {
	play := sim.New(sim.Config{})
	for number, state := range map[int64]string{71: "Running", 72: "Failed", 73: "Completed"} {
		play.Add(sim.Job{ID: number, Client: fmt.Sprintf("client.%d", number), Steps: []sim.Step{
			{At: -time.Hour, State: "Running", Phase: "Scan"}, {At: -time.Minute, State: state},
		}})
	}
	w := newWorld(t, 1, play)
	w.start()
	w.judge()
	w.acknowledged()
	list := func(more ...string) (jobs []map[string]any) {
		s := typed(t, append([]string{"jobs", "list", "-o", "json", "-c", w.config}, more...)...).Succeeds(t)
		if err := json.Unmarshal([]byte(s.Out), &jobs); err != nil {
			t.Fatalf("%v: %s", err, s.Out)
		}
		return jobs
	}
	if jobs := list(); len(jobs) != 3 || jobs[0]["id"] != 71.0 || jobs[0]["tracked"] != "discovered" || jobs[2]["tracked"] != "closing" {
		t.Errorf("listed are %v", jobs)
	}
	if jobs := list("--class", "failed", "--client", "client.72"); len(jobs) != 1 || jobs[0]["state"] != "Failed" {
		t.Errorf("failed are %v", jobs)
	}
	typed(t, "jobs", "list", "-c", w.config).Succeeds(t, "JOB", "sim/71", "client.71", "Running")
	typed(t, "jobs", "show", "sim/72", "-c", w.config).Succeeds(t, "sim/72  Failed", "Events ")
	typed(t, "jobs", "untrack", "sim/71", "-c", w.config).Succeeds(t, "sim/71: untracked")
	if jobs := list("--tracked"); len(jobs) != 2 { // those that have ended are polled once more
		t.Errorf("tracked are %v", jobs)
	}
	typed(t, "jobs", "track", "sim/71", "-c", w.config).Succeeds(t, "sim/71: tracked")
	if jobs := list("--tracked"); len(jobs) != 3 || jobs[0]["tracked"] != "by hand" {
		t.Errorf("tracked are %v", jobs)
	}
	typed(t, "jobs", "untrack", "sim/99", "-c", w.config).Fails(t, failed, "sim/99: not tracked")
	typed(t, "store", "stat", "-c", w.config).Succeeds(t, "watcher.db", "jobs known")
	typed(t, "store", "verify", "-c", w.config).Succeeds(t, "ok: ", "watcher.db: 3 jobs, 0 unsent events", "stream: ", " of 3 jobs\n")
	copied := filepath.Join(t.TempDir(), "copy.db")
	typed(t, "store", "backup", copied, "-c", w.config).Succeeds(t, copied)
	typed(t, "store", "backup", copied, "-c", w.config).Fails(t, failed, "copy.db: exists")
	typed(t, "check", "-c", w.config).Succeeds(t,
		"commcell sim\n", "  login: accepted", "  job list: holds 3 jobs", "  job details: job 73 of client.73 is Completed",
		"NATS\n  ok       127.0.0.1:", "  stream: JOBS fits, and holds ", "  rights: may publish", "is in use by the running watcher")
	w.kill()
	typed(t, "jobs", "show", "sim/73", "-c", w.config).Succeeds(t, "Completed")
}

// TestTail reads what the stream holds, and what comes while it reads, also over a NATS that restarts.
func TestTail(t *testing.T) {
	slow.Test(t, "5 s", "the command follows a stream across restarts of a real server")
	play := sim.New(sim.Config{})
	add := func(number int64, state string) {
		play.Add(sim.Job{ID: number, Client: "fall.example.com", Steps: []sim.Step{{At: -time.Minute, State: state, Phase: "Scan"}}})
	}
	add(71, "Running")
	add(72, "Running")
	w := newWorld(t, 1, play)
	w.start()
	w.judge()
	ctx, cancel := context.WithCancel(t.Context())
	var out log
	ended := make(chan int)
	go func() {
		ended <- cli.Execute(ctx, []string{"tail", "-c", w.config, "--since", "1h", "--client", "fall.example.com", "--kind", "state", "-o", "json"},
			strings.NewReader(""), &out, &w.said)
	}()
	told := func(want ...string) {
		t.Helper()
		w.until("tail prints "+strings.Join(want, ", "), func() bool { return len(states(t, out.String())) >= len(want) })
		got := states(t, out.String())
		slices.Sort(got) // of two jobs, either may come first
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Fatalf("printed are %q, want %q", got, want)
		}
	}
	told("sim/71 Running", "sim/72 Running")
	add(71, "Suspended")
	told("sim/71 Running", "sim/72 Running", "sim/71 Suspended")
	w.stopNATS()
	add(72, "Killed")
	w.progress(4)
	w.startNATS(w.proxy.target)
	told("sim/71 Running", "sim/72 Running", "sim/71 Suspended", "sim/72 Killed")
	cancel()
	if status := <-ended; status != done {
		t.Errorf("Ctrl-C ends it with status %d", status)
	}
	w.stopNATS()
	typed(t, "tail", "-c", w.config).Fails(t, failed, "NATS is away")
	typed(t, "tail", "-c", w.config, "--since", "yesterday").Fails(t, wrong, "--since yesterday: neither a duration")
	typed(t, "tail", "-c", w.config, "--kind", "rumour").Fails(t, wrong, "--kind rumour: no kind")
	typed(t, "tail", "-c", w.config, "--job", "71").Fails(t, wrong, `--job: "71" names no job`)
}

// states reads the state events of tail -o json, but for the last line where that is not whole yet.
func states(t *testing.T, lines string) []string {
	t.Helper()
	var got []string
	for line := range strings.SplitAfterSeq(lines, "\n") {
		if !strings.HasSuffix(line, "\n") {
			break
		}
		e, err := event.Parse([]byte(line))
		if err != nil {
			t.Fatal(err)
		}
		data, err := e.Job()
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e.PartitionKey+" "+string(data.Change.To))
	}
	return got
}
