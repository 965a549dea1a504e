package cli

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"
)

func newStoreBackup() *cobra.Command {
	return &cobra.Command{
		Use:   "backup FILE",
		Short: "Copy the store to a new file, beside a running watcher or without one",
		Long: "backup copies the store as it is at one moment; a running watcher writes the copy itself, and goes on\n" +
			"meanwhile. FILE must not be there yet. To go back to a copy, stop the watcher and put it in the place\n" +
			"of store.path: what was told since is read from the stream at the start.",
		Example: "  watcher store backup /var/backups/watcher.db",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			file, err := filepath.Abs(args[0])
			if err != nil {
				return fail(err)
			}
			return atDesk(c, false, func(d desk) error {
				bytes, err := d.Backup(c.Context(), file)
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(c.OutOrStdout(), "%s: %.1f MB, checked\n", file, megabytes(bytes))
				return err
			})
		},
	}
}
