package cli

import (
	"context"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"jobwatch/internal/store"
)

func newStore() *cobra.Command {
	c := &cobra.Command{
		Use:     "store",
		Short:   "Look after the store's file",
		Example: "  watcher store stat\n  watcher store backup /var/backups/watcher.db",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newStoreStat(), newStoreVerify(), newStoreBackup(), newStoreRebuild())
	return c
}

func newStoreStat() *cobra.Command {
	c := &cobra.Command{
		Use:     "stat",
		Short:   "Say what the store holds, beside a running watcher or without one",
		Example: "  watcher store stat\n  watcher store stat -o json",
		Args:    cobra.NoArgs,
	}
	form := outputFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		return withAdmin(c, false, func(a admin) error {
			stat, err := a.Stat(c.Context())
			if err != nil {
				return err
			}
			if *form == asJSON {
				return printJSON(c.OutOrStdout(), stat)
			}
			return printStat(c.OutOrStdout(), stat)
		})
	}
	return c
}

func printStat(out io.Writer, stat store.Stat) error {
	t := newTable(out)
	t.row("file", stat.Path)
	t.row("size", fmt.Sprintf("%.1f MB, %.1f MB of it free", megabytes(stat.Bytes), megabytes(stat.FreeBytes)))
	t.row("format", strconv.FormatUint(stat.Format, 10))
	t.row("jobs known", strconv.Itoa(stat.Jobs))
	for _, why := range slices.Sorted(maps.Keys(stat.Tracked)) {
		t.row("jobs "+why, strconv.Itoa(stat.Tracked[why]))
	}
	t.row("unsent events", strconv.FormatInt(stat.Unsent, 10))
	t.row("kept events", fmt.Sprintf("%d, %.1f MB", stat.Retained, megabytes(stat.RetainedBytes)))
	t.row("oldest unsent", localTime(stat.OldestUnsent))
	t.row("stream read to", strconv.FormatUint(stat.ReadTo, 10))
	t.row("stream", stat.Stream)
	return t.end()
}

func megabytes(bytes int64) float64 { return float64(bytes) / 1e6 }

func newStoreBackup() *cobra.Command {
	return &cobra.Command{
		Use:   "backup FILE",
		Short: "Copy the store to a new file, beside a running watcher or without one",
		Long: "backup copies the store as it is at one moment; a running watcher writes the copy itself, and goes on\n" +
			"meanwhile. FILE must not be there yet. To go back to a copy, stop the watcher and put it in the place\n" +
			"of store.path: what was told since is read from the stream at the start.",
		Example: "  watcher store backup /var/backups/watcher.db",
		Args:    cobra.ExactArgs(1),

		ValidArgsFunction: completeFiles(1),

		RunE: func(c *cobra.Command, args []string) error {
			file, err := filepath.Abs(args[0])
			if err != nil {
				return fail(err)
			}
			return withAdmin(c, false, func(a admin) error {
				var bytes int64
				err := withProgress(c, func(ctx context.Context) (err error) {
					bytes, err = a.Backup(ctx, file)
					return err
				})
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(c.OutOrStdout(), "%s: %.1f MB, checked\n", file, megabytes(bytes))
				return err
			})
		},
	}
}
