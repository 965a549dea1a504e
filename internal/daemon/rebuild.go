package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"jobwatch/internal/config"
	"jobwatch/internal/control"
	"jobwatch/internal/event"
	"jobwatch/internal/publish"
	"jobwatch/internal/store"
	"jobwatch/internal/stream"
)

// Rebuild makes the store anew from the stream, and gives the old file's new name, or "" where there was none. No
// watcher may be running.
func Rebuild(ctx context.Context, cfg *config.Config, log *slog.Logger) (read ReadBack, aside string, err error) {
	claim, err := store.ClaimFile(cfg.Store.Path)
	if err != nil {
		return read, "", err
	}
	defer func() { err = errors.Join(err, claim.Release()) }()
	if running, err := IsRunning(cfg.Store.Path); err != nil {
		return read, "", err
	} else if running {
		return read, "", fmt.Errorf("%s: a watcher is running; stop it, and do this then", cfg.Store.Path)
	}
	fresh := cfg.Store.Path + ".rebuild"
	if err := os.RemoveAll(fresh); err != nil { // of a rebuild that was killed
		return read, "", err
	}
	defer os.Remove(fresh) // of no effect once it has taken its place
	err = AtStream(ctx, cfg, "store rebuild", func(ctx context.Context, b *stream.Broker) error {
		read, err = readInto(ctx, fresh, cfg, b, log)
		return err
	})
	if err != nil {
		return read, "", fmt.Errorf("%s: not rebuilt, and left as it is: %w", cfg.Store.Path, err)
	}
	aside, err = claim.ReplaceBy(fresh)
	return read, aside, err
}

// IsRunning says whether a watcher serves the store, also where its file was deleted.
func IsRunning(path string) (bool, error) {
	_, err := control.Dial(path)
	if errors.Is(err, control.ErrNobody) {
		return false, nil
	}
	return err == nil, err
}

// ReadBack is what a rebuild has read.
type ReadBack struct{ Jobs, Events int }

// readInto makes a store of what the stream tells.
func readInto(ctx context.Context, path string, cfg *config.Config, b *stream.Broker, log *slog.Logger) (read ReadBack, err error) {
	st, err := store.Open(path, event.NewMinter(cfg.Severity))
	if err != nil {
		return read, err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	counting := &countingBroker{Broker: b}
	publisher := publish.New(publish.Config{Store: st, Broker: counting, Prefix: cfg.NATS.SubjectPrefix, Log: log})
	if err := publisher.ReadBack(ctx); err != nil {
		return read, err
	}
	stat, err := st.Stat()
	return ReadBack{stat.Jobs, counting.events}, err
}

// countingBroker counts the events that a scan passes.
type countingBroker struct {
	*stream.Broker
	events int
}

func (c *countingBroker) Scan(ctx context.Context, from uint64, yield func(stream.Message) error) (uint64, error) {
	return c.Broker.Scan(ctx, from, func(m stream.Message) error {
		if _, err := event.Parse(m.Data); err == nil {
			c.events++
		}
		return yield(m)
	})
}
