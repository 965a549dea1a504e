package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"jobwatch/internal/console"
	"jobwatch/internal/daemon"
	"jobwatch/internal/store"
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
			var read daemon.ReadBack
			var aside string
			err = console.WithProgress(c.Context(), c.ErrOrStderr(), func(ctx context.Context, above io.Writer) error {
				log, _ := newLogTo(above, isTerminal(c.ErrOrStderr()), cfg.Log)
				read, aside, err = daemon.Rebuild(ctx, cfg, log)
				return err
			})
			if err != nil {
				return fail(err)
			}
			out := c.OutOrStdout()
			fmt.Fprintf(out, "%s: rebuilt from stream %s: %d jobs, %d events\n", cfg.Store.Path, cfg.NATS.Stream, read.Jobs, read.Events)
			if aside != "" {
				fmt.Fprintf(out, "the old file is %s, %s\n", aside, whatIsLeft(aside))
			}
			return nil
		},
	}
}

// whatIsLeft says what the new store does not hold of the old one.
func whatIsLeft(aside string) string {
	left, err := store.CountUnrecoverable(aside)
	switch {
	case err != nil:
		return "which cannot be read"
	case left == store.Unrecoverable{}:
		return "which holds nothing that the new one does not"
	}
	return fmt.Sprintf("which alone holds %d unsent events, and %d jobs tracked or untracked by hand", left.Unsent, left.ByHand)
}
