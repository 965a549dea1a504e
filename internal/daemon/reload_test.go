package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
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
		apply := func(cells []config.CommCell) (string, error) {
			for _, cell := range cells {
				taken = append(taken, cell.Name)
			}
			return "", nil
		}
		r := reloader{file: file, started: cfg, log: slog.New(slog.DiscardHandler), apply: apply}
		ctx, cancel := context.WithTimeout(t.Context(), 5*readEvery)
		defer cancel()
		if err := r.Run(ctx); err != nil || !slices.Equal(taken, []string{"lab"}) {
			t.Errorf("taken: %q, %v", taken, err)
		}
	})
}
