package cli

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"jobwatch/internal/console"
)

// withProgress runs do, which prints nothing, and has a person see how far it is.
func withProgress(c *cobra.Command, do func(context.Context) error) error {
	return console.WithProgress(c.Context(), c.ErrOrStderr(), func(ctx context.Context, _ io.Writer) error { return do(ctx) })
}

// withProgressBeside is withProgress for what prints: where a person reads that, it is what shows how far it is.
func withProgressBeside(c *cobra.Command, do func(context.Context) error) error {
	if isTerminal(c.OutOrStdout()) {
		return do(c.Context())
	}
	return withProgress(c, do)
}
