package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"jobwatch/internal/config"
	"jobwatch/internal/control"
	"jobwatch/internal/daemon"
	"jobwatch/internal/event"
	"jobwatch/internal/publish"
	"jobwatch/internal/store"
	"jobwatch/internal/stream"
)

func newStoreRebuild() *cobra.Command {
	return &cobra.Command{
		Use:   "rebuild",
		Short: "Make the store anew from the stream, and keep the old file aside",
		Long: "rebuild reads the whole stream into a new store, as a watcher does that starts without one. The old file\n" +
			"is moved aside when the new one is whole, and never deleted. No watcher may be running.\n" +
			"What was never sent is told by the first look at each job; what is tracked or untracked by hand is not in\n" +
			"the stream, and has to be said again, finished jobs aside.",
		Example: "  watcher store rebuild",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := loadConfig(c)
			if err != nil {
				return err
			}
			read, aside, err := rebuild(c.Context(), cfg, newLog(c.ErrOrStderr(), cfg.Log))
			if err != nil {
				return fail(err)
			}
			out := c.OutOrStdout()
			fmt.Fprintf(out, "%s: rebuilt from stream %s: %d jobs, %d events\n", cfg.Store.Path, cfg.NATS.Stream, read.jobs, read.events)
			if aside != "" {
				fmt.Fprintf(out, "the old file is %s, %s\n", aside, whatIsLeft(aside))
			}
			return nil
		},
	}
}

// whatIsLeft says what the new store does not hold of the old one.
func whatIsLeft(aside string) string {
	left, err := store.LeftIn(aside)
	switch {
	case err != nil:
		return "which cannot be read"
	case left == store.Left{}:
		return "which holds nothing that the new one does not"
	}
	return fmt.Sprintf("which alone holds %d unsent events, and %d jobs tracked or untracked by hand", left.Unsent, left.ByHand)
}

// rebuild gives the old file's new name, or "" where there was none.
func rebuild(ctx context.Context, cfg *config.Config, log *slog.Logger) (read readBack, aside string, err error) {
	claim, err := store.Replacing(cfg.Store.Path)
	if err != nil {
		return read, "", err
	}
	defer func() { err = errors.Join(err, claim.End()) }()
	if err := nobodyRuns(cfg.Store.Path); err != nil {
		return read, "", err
	}
	fresh := cfg.Store.Path + ".rebuild"
	if err := os.RemoveAll(fresh); err != nil { // of a rebuild that was killed
		return read, "", err
	}
	defer os.Remove(fresh) // of no effect once it has taken its place
	err = atStream(ctx, cfg.NATS, "store rebuild", func(ctx context.Context, b *stream.Broker) error {
		read, err = readInto(ctx, fresh, cfg, b, log)
		return err
	})
	if err != nil {
		return read, "", fmt.Errorf("%s: not rebuilt, and left as it is: %w", cfg.Store.Path, err)
	}
	aside, err = claim.By(fresh)
	return read, aside, err
}

// nobodyRuns also finds a watcher whose file was deleted.
func nobodyRuns(path string) error {
	_, err := control.Dial(path)
	switch {
	case errors.Is(err, control.ErrNobody):
		return nil
	case err != nil:
		return err
	}
	return fmt.Errorf("%s: a watcher is running; stop it, and do this then", path)
}

// readBack is what a rebuild has read.
type readBack struct{ jobs, events int }

// readInto makes a store of what the stream tells.
func readInto(ctx context.Context, path string, cfg *config.Config, b *stream.Broker, log *slog.Logger) (read readBack, err error) {
	st, err := store.Open(path, event.NewMinter(daemon.Severities(cfg.Severity)))
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
	return readBack{stat.Jobs, counting.events}, err
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
