package endtoend

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"jobwatch/internal/event"
	"jobwatch/internal/sim"
	"jobwatch/internal/testing/slow"
	"jobwatch/internal/testing/terminal"
)

// followed is a watcher that has told of sim/71 and sim/72, and a way to have one of them change.
func followed(t *testing.T) (w *world, change func(number int64, state string)) {
	t.Helper()
	play := sim.New(sim.Config{})
	change = func(number int64, state string) {
		play.Add(sim.Job{ID: number, Client: "fall", Steps: []sim.Step{{At: -time.Minute, State: state, Phase: "Scan"}}})
	}
	change(71, "Running")
	change(72, "Running")
	w = newWorld(t, 1, play)
	w.start()
	w.judge()
	w.acknowledged()
	return w, change
}

// tells waits until so many events are in the stream.
func (w *world) tells(t *testing.T, events int) {
	t.Helper()
	w.until("the change is told", func() bool { return len(w.read()) >= events })
}

func TestHistory(t *testing.T) {
	slow.Test(t, "4 s", "the commands are tried on what a real watcher has left")
	w, change := followed(t)
	change(71, "Suspended")
	w.tells(t, 5)
	history := func(words ...string) terminal.Said {
		return typed(t, append([]string{"jobs", "history", "-c", w.config}, words...)...)
	}
	told := strings.Split(strings.TrimSpace(history("sim/71").Succeeds(t).Out), "\n")
	for i, want := range [][]string{
		{"SEQUENCE", "TIME", "EVENT", "SEVERITY", "CHANGE"},
		{"1", "state.running", "info", "Running"},
		{"2", "phase.scan", "info", "Scan"},
		{"3", "state.suspended", "info", "Running → Suspended"},
	} {
		if i >= len(told) || !strings.HasPrefix(told[i], want[0]+" ") || !strings.HasSuffix(told[i], want[len(want)-1]) {
			t.Fatalf("line %d should be %q:\n%s", i, want, strings.Join(told, "\n"))
		}
		for _, cell := range want {
			if !strings.Contains(told[i], cell) {
				t.Errorf("line %d should be %q: %s", i, want, told[i])
			}
		}
	}
	var events []event.Event
	if err := json.Unmarshal([]byte(history("sim/72", "-o", "json").Succeeds(t).Out), &events); err != nil {
		t.Fatal(err)
	}
	if len(events) != 2 || events[0].PartitionKey != "sim/72" || events[0].Number() != 1 || events[1].Number() != 2 {
		t.Errorf("printed are %+v", events)
	}
	none := history("sim/99")
	none.Fails(t, failed, "sim/99: the stream holds no event of this job")
	if none.Out != "" {
		t.Errorf("of nothing it prints %q", none.Out)
	}
	history("99").Fails(t, wrong, `"99" names no job`)
	w.stop()
	w.stopNATS()
	history("sim/71").Fails(t, failed, "NATS is away")
}

// TestVerifyAgainstTheStream puts an older store beside the stream, and takes one event after the other from that.
func TestVerifyAgainstTheStream(t *testing.T) {
	w, change := followed(t)
	older := filepath.Join(t.TempDir(), "older.db")
	typed(t, "store", "backup", older, "-c", w.config).Succeeds(t)
	change(71, "Suspended")
	w.tells(t, 5)
	w.stop()
	verify := func(more ...string) terminal.Said {
		return typed(t, append([]string{"store", "verify", "-c", w.config}, more...)...)
	}
	verify().Succeeds(t, "ok: ", "stream: 5 events of 2 jobs\n")
	if err := os.Rename(older, filepath.Join(w.dir, "watcher.db")); err != nil {
		t.Fatal(err)
	}
	verify().Succeeds(t, "ok: ", "stream: 5 events of 2 jobs; it tells more of 1 jobs than the store knows, which a watcher reads at its start\n")
	takeEvent(t, w, "jobs.sim.71.fall.phase.scan")
	found := verify()
	found.Fails(t, failed, "watcher.db: not as it should be, see above")
	if !strings.Contains(found.Out, "sim/71: event 1 is followed by 3 in the stream (at 5); ") || strings.Contains(found.Out, "ok") {
		t.Errorf("found is %q", found.Out)
	}
	verify("-o", "json").Fails(t, failed, "watcher.db: not as it should be")

	takeEvent(t, w, "jobs.sim.71.fall.state.suspended")
	found = verify()
	found.Fails(t, failed, "watcher.db: not as it should be, see above")
	if !strings.Contains(found.Out, "sim/71: the stream ends at event 1, and event 2 was acknowledged; restart the watcher") {
		t.Errorf("found is %q", found.Out)
	}
	takeEvent(t, w, "jobs.sim.71.fall.state.running") // as max_age does
	verify().Succeeds(t, "ok: ", "stream: 2 events of 1 jobs; it holds nothing more of 1 jobs that were told\n")
}

// takeEvent deletes the last message of a subject.
func takeEvent(t *testing.T, w *world, subject string) {
	t.Helper()
	held, err := w.jetStream().Stream(t.Context(), "JOBS")
	if err != nil {
		t.Fatal(err)
	}
	m, err := held.GetLastMsgForSubject(t.Context(), subject)
	if err != nil {
		t.Fatal(err)
	}
	if err := held.DeleteMsg(t.Context(), m.Sequence); err != nil {
		t.Fatal(err)
	}
}
