package cli

import (
	"github.com/spf13/cobra"

	"jobwatch/internal/config"
)

func newConfig() *cobra.Command {
	c := &cobra.Command{
		Use:     "config",
		Short:   "Help with writing a configuration",
		Example: "  watcher config schema > watcher.schema.json",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(&cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of the configuration, by which editors complete and check it",
		Long: "config schema prints the JSON Schema (draft-07) of the configuration file of exactly this version. An\n" +
			"editor with the YAML language server completes and checks a file by it whose first line is\n" +
			"# yaml-language-server: $schema=watcher.schema.json",
		Example: "  watcher config schema > watcher.schema.json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return fail(printJSON(c.OutOrStdout(), config.Schema()))
		},
	})
	return c
}
