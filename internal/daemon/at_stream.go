package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"

	"golang.org/x/sync/errgroup"

	"jobwatch/internal/config"
	"jobwatch/internal/stream"
)

// AtStream runs do with the stream as NATS has it now, for reading: that of a running watcher, or where the embedded
// server's folder is used by nobody, that of a server in this process that nobody else can reach. Where no stream can
// be read the error is or wraps ErrAway, or says what does not fit.
func AtStream(ctx context.Context, cfg *config.Config, name string, do func(context.Context, *stream.Broker) error) error {
	return atStream(ctx, cfg, name, true, do)
}

// AtRelays is AtStream for what writes beside the stream: what relays remember, and dead letters.
func AtRelays(ctx context.Context, cfg *config.Config, name string, do func(context.Context, *stream.Broker) error) error {
	return atStream(ctx, cfg, name, false, do)
}

func atStream(ctx context.Context, cfg *config.Config, name string, readOnly bool, do func(context.Context, *stream.Broker) error) error {
	c := cfg.NATS
	settings, err := StreamConfig(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	settings.ReadOnly, settings.Name = readOnly, "jobwatch "+name
	if c.UsesEmbedded() && stream.DirFree(c.Embedded.Dir) == nil {
		if _, err := os.Stat(c.Embedded.Dir); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%w: %s: the embedded server has no stream yet; start the watcher, which makes it", ErrAway, c.Embedded.Dir)
		}
		c.Embedded.Listen = ""
		if settings.InProcess, err = StartEmbedded(c, settings.Log); err != nil {
			return err
		}
		defer settings.InProcess.Close()
	}
	return withBroker(ctx, stream.New(settings), do)
}

func withBroker(ctx context.Context, broker *stream.Broker, do func(context.Context, *stream.Broker) error) error {
	group, ctx := errgroup.WithContext(ctx)
	ctx, cancel := context.WithCancel(ctx)
	group.Go(func() error { return broker.Run(ctx) })
	group.Go(func() error {
		defer cancel()
		if err := AwaitStream(ctx, broker); err != nil {
			return err
		}
		return do(ctx, broker)
	})
	return group.Wait()
}
