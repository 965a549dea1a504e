package endtoend

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"jobwatch/internal/sim"
	"jobwatch/internal/testing/slow"
	"jobwatch/internal/testing/terminal"
)

// TestAudit has a watcher that keeps an audit log killed while jobs move, and the log verified beside it, against the
// stream, and after a byte of it was changed.
func TestAudit(t *testing.T) {
	slow.Test(t, "30 s", "each kill costs a lease and an AckWait")
	t.Parallel()
	const jobs = 20
	clock := &lifeClock{step: 30 * time.Millisecond}
	w := newWorld(t, 14, sim.New(sim.Config{Seed: 14, Jobs: jobs, Clock: clock.now}), clock.turnedBy)
	w.clock = clock
	dir := filepath.Join(w.dir, "trail")
	w.relay("  - name: trail\n    start: all\n    audit: {dir: %q, rotate: {size: 32KiB}}\n", dir)
	verify := func(words ...string) terminal.Said {
		return typed(t, append([]string{"audit", "verify", dir}, words...)...)
	}
	lines := func() int {
		var report struct{ Size int }
		_ = json.Unmarshal([]byte(verify("-o", "json").Out), &report)
		return report.Size
	}
	w.start()
	clock.run(3)
	w.until("events are in the log", func() bool { return lines() > 5 })
	then := w.keep("then", string(read(t, filepath.Join(dir, "checkpoint"))))
	w.kill()
	w.start()
	clock.run(20)
	w.until("every job's end is seen", func() bool { return allEnded(w.sim.Served(), jobs) })
	w.acknowledged()
	w.until("all is in the log", func() bool { return lines() == len(w.read()) })
	verify("-c", w.config, "--since", then).Succeeds(t)
	w.stop()
	verify().Succeeds(t)

	ids := map[string]bool{}
	for line := range bytes.Lines([]byte(typed(t, "audit", "export", dir).Succeeds(t).Out)) {
		var l struct{ Event struct{ ID string } }
		if err := json.Unmarshal(line, &l); err != nil {
			t.Fatal(err)
		}
		if ids[l.Event.ID] {
			t.Errorf("%s stands twice", l.Event.ID)
		}
		ids[l.Event.ID] = true
	}
	if len(ids) != len(w.read()) {
		t.Errorf("%d events of %d", len(ids), len(w.read()))
	}

	newest, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	if err != nil || len(newest) != 1 {
		t.Fatal(newest, err)
	}
	changed := bytes.Replace(read(t, newest[0]), []byte(`"severity"`), []byte(`"sevErity"`), 1)
	if err := os.WriteFile(newest[0], changed, 0o600); err != nil {
		t.Fatal(err)
	}
	if said := verify(); said.Status != 1 || !strings.Contains(said.Errs, ": changed in "+filepath.Base(newest[0])) {
		t.Errorf("of a changed line: status %d\n%s%s", said.Status, said.Out, said.Errs)
	}
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
