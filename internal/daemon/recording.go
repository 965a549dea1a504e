package daemon

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"

	"jobwatch/internal/config"
	"jobwatch/internal/event"
	"jobwatch/internal/store"
)

// Record polls a CommCell as a watcher does until ctx ends, has all answers heard, and publishes nothing. What it learns of jobs is
// in a file that has no name any more once it is in use, so that nothing is left of it, however this ends.
func Record(ctx context.Context, cell config.CommCell, hear func(http.RoundTripper) http.RoundTripper, log *slog.Logger) (err error) {
	client, err := newClient(cell, nil, hear, log)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "jobwatch-record-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	st, err := store.Open(filepath.Join(dir, "watcher.db"), event.NewMinter(nil))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	_ = os.RemoveAll(dir) // it is tried again at the end
	p, err := newPoller(cell, client, st, nil, log)
	if err != nil {
		return err
	}
	return p.Run(ctx)
}
