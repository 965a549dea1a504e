package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"jobwatch/internal/config"
	"jobwatch/internal/stream"
)

// atStream runs do with the stream as NATS has it now, for reading: that of a running watcher, or where the embedded
// server's folder is used by nobody, that of a server in this process that nobody else can reach. Where no stream can
// be read the error is or wraps errAway, or says what does not fit.
func atStream(ctx context.Context, c config.NATS, name string, do func(context.Context, *stream.Broker) error) error {
	settings, err := streamConfig(c, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	settings.ReadOnly, settings.Name = true, "jobwatch "+name
	if c.UsesEmbedded() && stream.DirFree(c.Embedded.Dir) == nil {
		if _, err := os.Stat(c.Embedded.Dir); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%w: %s: the embedded server has no stream yet; start the watcher, which makes it", errAway, c.Embedded.Dir)
		}
		c.Embedded.Listen = ""
		if settings.InProcess, err = startEmbedded(c, settings.Log); err != nil {
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
		if err := awaitStream(ctx, broker); err != nil {
			return err
		}
		return do(ctx, broker)
	})
	return group.Wait()
}

// errAway says that there is no NATS to read from.
var errAway = errors.New("NATS is away")

// natsPatience is how long NATS is waited for.
const natsPatience = 5 * time.Second

// awaitStream waits for NATS and the stream as long as a person would. Where they are not there by then, the error wraps
// errAway and says why.
func awaitStream(ctx context.Context, broker *stream.Broker) error {
	soon, cancel := context.WithTimeout(ctx, natsPatience)
	defer cancel()
	_, err := broker.Ready(soon)
	if !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
		return err
	}
	switch why := broker.LastError(); {
	case why != nil:
		return fmt.Errorf("%w: %w", errAway, why)
	case broker.Connected():
		return fmt.Errorf("%w: the server is there, but its JetStream gives no answer within %v", errAway, natsPatience)
	}
	return fmt.Errorf("%w: no answer within %v", errAway, natsPatience)
}
