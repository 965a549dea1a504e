package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"jobwatch/internal/config"
	"jobwatch/internal/event"
	"jobwatch/internal/metrics"
	"jobwatch/internal/sim"
	"jobwatch/internal/store"
)

// TestSupervisorChangedBeforeItRuns: a worker that never started keeps nobody waiting.
func TestSupervisorChangedBeforeItRuns(t *testing.T) {
	play := sim.New(sim.Config{Jobs: 1})
	server := httptest.NewServer(play)
	t.Cleanup(server.Close)
	cfg, err := config.Parse("watcher.yaml", fmt.Appendf(nil,
		"commcells: [{name: prod, url: '%s/webconsole/api', auth: {username: watcher, password: watcher}}]", server.URL), os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	st, err := store.Open(filepath.Join(t.TempDir(), "watcher.db"), event.NewMinter(nil))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	p := &parts{Daemon: &Daemon{Log: slog.New(slog.DiscardHandler)}, store: st, metrics: metrics.New("test")}
	cells, err := newPollers(cfg.CommCells, false, p.newPoller)
	if err != nil {
		t.Fatal(err)
	}
	for concurrency := range 3 {
		cfg.CommCells = slices.Clone(cfg.CommCells)
		cfg.CommCells[0].Concurrency = concurrency + 1
		if words, err := cells.Apply(cfg.CommCells); err != nil || words != "prod has changed" {
			t.Fatalf("%q, %v", words, err)
		}
	}
	if words, err := cells.Apply(cfg.CommCells); err != nil || words != "" {
		t.Errorf("the same again: %q, %v", words, err)
	}
	if !cells.Follows("prod") || cells.Follows("lab") {
		t.Error("prod alone is followed")
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- cells.Run(ctx) }()
	for end := time.After(time.Minute); play.Counts()[sim.OpJobDetails] == 0; {
		select {
		case <-end:
			t.Fatal("nobody asks")
		case <-time.After(5 * time.Millisecond):
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
