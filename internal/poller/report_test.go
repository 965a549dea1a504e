package poller

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"jobwatch/internal/commvault"
	"jobwatch/internal/job"
	"jobwatch/internal/store/storetest"
)

// TestOneLineForACommCell: what befalls a CommCell as a whole is said once, not once for each of its jobs.
func TestOneLineForACommCell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said bytes.Buffer
		b := newBench(t, func(c *Config) { c.Log = slog.New(slog.NewTextHandler(&said, nil)) })
		for number := range int64(5) {
			b.script.is(number+1, state("Running"))
		}
		b.cycle()
		says := func(when string, lines int, key string) {
			t.Helper()
			if got := strings.Count(said.String(), "no observation"); got != lines || !strings.Contains(said.String(), key) {
				t.Errorf("%s: %d lines, want %d with %s:\n%s", when, got, lines, key, said.String())
			}
			said.Reset()
		}
		busy := &commvault.Error{Operation: "JobDetails", Kind: commvault.Throttled, Code: 503}
		b.script.broken = map[int64]error{1: busy, 2: busy, 3: busy}
		b.cycle()
		b.cycle()
		says("three jobs are met by 503, twice", 1, "commcell=prod")
		b.script.broken = nil
		b.cycle()
		b.script.broken = map[int64]error{1: busy}
		b.cycle()
		says("again after a good cycle", 1, "commcell=prod")
		odd := &commvault.Error{Operation: "JobDetails", Job: 4, Kind: commvault.NotAnAnswer, Code: 200}
		b.script.broken = map[int64]error{4: odd, 5: odd}
		b.cycle()
		b.cycle()
		says("two jobs with answers that are none", 2, "job=prod/4")
	})
}

// TestRefusedLoginIsToldAsSuch: whoever reads `unreachable` knows at once whom to ask.
func TestRefusedLoginIsToldAsSuch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.script.down = &commvault.Error{Operation: "Login", Kind: commvault.Auth, Code: 200, Words: "The password is wrong."}
		b.cycle()
		next, found, err := storetest.Oldest(b.store, job.ID{CommCell: "prod"})
		if err != nil || !found {
			t.Fatal(found, err)
		}
		data, err := next.Event.CommCell()
		if err != nil || !strings.HasPrefix(string(data.Reason), "auth: ") {
			t.Errorf("the reason is %q (%v)", data.Reason, err)
		}
	})
}
