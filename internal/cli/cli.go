// Package cli is watcher's command line: its commands, what they print, and their exit statuses.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	_ "time/tzdata" // CRON_TZ works where the system has no time zones

	"github.com/spf13/cobra"

	"jobwatch/internal/printable"
)

// Exit statuses.
const (
	done   = 0
	failed = 1
	wrong  = 2 // usage or configuration, a missing file included
)

// Main is the program: Execute with the arguments, streams and signals of the process.
func Main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(Execute(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// Execute runs one command line and gives its exit status.
func Execute(ctx context.Context, args []string, in io.Reader, out, errs io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errs)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return done
	}
	if text := strings.TrimSpace(err.Error()); text != "" {
		fmt.Fprintln(errs, printable.Lines(text))
	}
	var failure *failure
	var verdict *verdict
	switch {
	case errors.As(err, &verdict):
		return verdict.status
	case errors.As(err, &failure):
		return failed
	}
	return wrong
}

// outliveReaders is for what does its work whether somebody reads of it or not. A Go program dies of a write to a
// standard output or error that nobody reads any more: that of a command that prints ends so, as in watcher tail | head.
func outliveReaders() { signal.Ignore(syscall.SIGPIPE) }

// failure is an error of a command that was asked for rightly. Whatever else ends a command is its
// usage or its configuration.
type failure struct{ error }

func (f *failure) Unwrap() error { return f.error }

func fail(err error) error {
	if err == nil {
		return nil
	}
	return &failure{err}
}

// Root is the command line itself, for who describes it.
func Root() *cobra.Command { return newRoot() }

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "watcher",
		Short: "Tells a NATS stream what becomes of Commvault jobs",
		Long: "watcher asks Commvault CommServes what their jobs do, and publishes what changes:\n" +
			"states, phases and failures, as events on NATS subjects.",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.PersistentFlags().StringP("config", "c", "watcher.yaml", "the configuration `file`")
	root.AddCommand(newInit(), newRun(), newDemo(), newCheck(), newJobs(), newTail(), newTop(), newWait(), newReplay(), newStore(), newRelay(), newCluster(), newAudit(), newDebug(), newInspect(), newRecord(), newConfig(), newContract(), newSim(), newVersion())
	inOneVoice(root)
	return root
}
