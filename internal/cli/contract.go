package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"jobwatch/internal/event"
)

func newContract() *cobra.Command {
	return &cobra.Command{
		Use:   "contract jsonschema|asyncapi",
		Short: "Print the machine-readable contract of events and subjects",
		Long: "contract jsonschema prints the JSON Schema (2020-12) of an event; contract asyncapi prints an\n" +
			"AsyncAPI 3.0 document of the subjects and what is published on them. Both describe exactly this\n" +
			"version, and need no configuration.",
		Example: "  watcher contract jsonschema > event.schema.json\n" +
			"  watcher contract asyncapi > asyncapi.json",
		ValidArgs: []string{"jsonschema", "asyncapi"},
		RunE: func(c *cobra.Command, args []string) error {
			return printContract(c.OutOrStdout(), args)
		},
	}
}

func printContract(out io.Writer, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("contract takes one word: jsonschema or asyncapi")
	}
	switch args[0] {
	case "jsonschema":
		return fail(printJSON(out, event.Schema()))
	case "asyncapi":
		return fail(printJSON(out, event.AsyncAPI()))
	}
	return fmt.Errorf("contract: there is no %q; write jsonschema or asyncapi", args[0])
}
