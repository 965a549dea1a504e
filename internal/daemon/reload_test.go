package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"jobwatch/internal/config"
)

// TestAnEditBeforeTheStartIsOver edits the configuration after it was read, and before the reloader first reads it.
func TestAnEditBeforeTheStartIsOver(t *testing.T) {
	file := filepath.Join(t.TempDir(), "watcher.yaml")
	write := func(commCell string) {
		text := fmt.Sprintf("commcells: [{name: %s, url: 'http://127.0.0.1:1', auth: {token: QSDK}}]", commCell)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("prod")
	cfg, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	write("lab")
	synctest.Test(t, func(t *testing.T) {
		var taken []string
		apply := func(c *config.Config) (string, error) {
			for _, cell := range c.CommCells {
				taken = append(taken, cell.Name)
			}
			return "", nil
		}
		r := reloader{file: file, started: cfg, log: slog.New(slog.DiscardHandler), apply: apply, done: func(bool) {}}
		ctx, cancel := context.WithTimeout(t.Context(), 5*readEvery)
		defer cancel()
		if err := r.Run(ctx); err != nil || !slices.Equal(taken, []string{"lab"}) {
			t.Errorf("taken: %q, %v", taken, err)
		}
	})
}

// TestTheLogsLevelIsReloaded edits the file's log section: the level is set at once, what else is in it waits for a restart.
func TestTheLogsLevelIsReloaded(t *testing.T) {
	file := filepath.Join(t.TempDir(), "watcher.yaml")
	text := func(log string) []byte {
		return fmt.Appendf(nil, "commcells: [{name: prod, url: 'http://127.0.0.1:1', auth: {token: QSDK}}]\nlog: {%s}", log)
	}
	started, err := config.Parse(file, text("level: warn"), os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	level := new(slog.LevelVar)
	level.Set(slog.LevelWarn)
	var said strings.Builder
	r := reloader{
		file: file, started: started, latest: started, level: level, apply: func(*config.Config) (string, error) { return "", nil },
		done: func(bool) {},
		log:  slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: level})),
	}
	const restart = "taken at the next start: log"
	if !r.reload(text("level: debug")) || level.Level() != slog.LevelDebug || strings.Contains(said.String(), restart) {
		t.Errorf("level %v: %s", level, said.String())
	}
	level.Set(slog.LevelError) // as watcher debug does
	if r.reload(text("level: debug")) || level.Level() != slog.LevelError {
		t.Errorf("what was not edited is taken: level %v: %s", level, said.String())
	}
	level.Set(slog.LevelDebug)
	if !r.reload(text("level: info, format: json")) || level.Level() != slog.LevelInfo || !strings.Contains(said.String(), restart) {
		t.Errorf("level %v: %s", level, said.String())
	}
	for _, want := range []string{"log.level is debug", "log.level is info"} {
		if strings.Count(said.String(), want) != 1 {
			t.Errorf("%q is not said once:\n%s", want, said.String())
		}
	}
}

// What came of the last reading is a metric: a refused file is else in the log alone.
func TestARefusedConfigurationIsKnown(t *testing.T) {
	text := func(schedule string) []byte {
		return fmt.Appendf(nil, "commcells: [{name: prod, url: 'http://127.0.0.1:1', auth: {token: QSDK}, schedule: %s}]", schedule)
	}
	started, err := config.Parse("watcher.yaml", text("'@every 1m'"), os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	var came []bool
	r := reloader{
		file: "watcher.yaml", started: started, latest: started, log: slog.New(slog.DiscardHandler),
		apply: func(*config.Config) (string, error) { return "", nil }, done: func(taken bool) { came = append(came, taken) },
	}
	for _, schedule := range []string{"'@every 2m'", "sometimes", "'@every 3m'"} {
		r.reload(text(schedule))
	}
	if !slices.Equal(came, []bool{true, false, true}) {
		t.Errorf("taken: %v", came)
	}
}
