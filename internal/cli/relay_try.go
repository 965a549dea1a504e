package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"jobwatch/internal/config"
	"jobwatch/internal/daemon"
	"jobwatch/internal/event"
	"jobwatch/internal/printable"
	"jobwatch/internal/relay"
)

func newRelayTry() *cobra.Command {
	c := &cobra.Command{
		Use:   "try NAME EVENT.json",
		Short: "Deliver one event now, and print what was sent and answered",
		Long: "try sends the event in the file (-: standard input) to the relay's destination, whatever the relay takes else, and\n" +
			"also while it is off. It needs no NATS, and changes nothing that the relay remembers. An event to try: watcher tail.",
		Example: "  watcher tail -o json | head -1 > event.json\n  watcher relay try ops event.json --dry\n  watcher relay try ops event.json",
		Args:    cobra.ExactArgs(2),

		ValidArgsFunction: func(c *cobra.Command, typed []string, begun string) ([]string, cobra.ShellCompDirective) {
			if len(typed) == 0 {
				return completeRelays(c, typed, begun)
			}
			return completeFiles(2)(c, typed, begun)
		},
	}
	dry := c.Flags().Bool("dry", false, "print what would be sent, and send nothing")
	c.RunE = func(c *cobra.Command, args []string) error {
		cfg, err := loadToRun(c)
		if err != nil {
			return err
		}
		if err := daemon.KnowsRelay(cfg, args[0]); err != nil {
			return err
		}
		batch, err := readEvent(c.InOrStdin(), args[1], cfg.NATS.SubjectPrefix)
		if err != nil {
			return err
		}
		return fail(tryRelay(c.Context(), c.OutOrStdout(), relayNamed(cfg, args[0]), batch, *dry))
	}
	return c
}

func relayNamed(cfg *config.Config, name string) config.Relay {
	for _, r := range cfg.Relays {
		if r.Name == name {
			return r
		}
	}
	return config.Relay{}
}

const largestEvent = 1 << 20 // far above any

// readEvent reads the file as an event that the stream holds.
func readEvent(in io.Reader, file, prefix string) (relay.Batch, error) {
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return relay.Batch{}, err
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, largestEvent))
	if err != nil {
		return relay.Batch{}, fmt.Errorf("%s: %w", file, err)
	}
	parsed, err := event.Parse(data)
	if err != nil {
		return relay.Batch{}, fmt.Errorf("%s: %w; print one with: watcher tail -o json", file, err)
	}
	e := &relay.Event{ID: parsed.ID, Data: data}
	if e.Job, err = parsed.JobID(); err == nil {
		_, e.Subject, err = event.Address(prefix, e.Job, data)
	}
	if err != nil {
		return relay.Batch{}, fmt.Errorf("%s: %w", file, err)
	}
	return relay.Batch{Events: []*relay.Event{e}}, nil
}

func tryRelay(ctx context.Context, out io.Writer, c config.Relay, b relay.Batch, dry bool) error {
	to, err := daemon.OpenDestination(c, version(), daemon.NoMemory(), nil, slog.New(slog.DiscardHandler))
	if err != nil {
		return fmt.Errorf("relay %s: %w", c.Name, err)
	}
	if closer, has := to.(io.Closer); has {
		defer closer.Close()
	}
	text, err := to.Preview(b)
	if err != nil {
		return fmt.Errorf("relay %s: %w", c.Name, err)
	}
	fmt.Fprintln(out, printable.Lines(text))
	if dry {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	answer := ""
	if tells, can := to.(interface {
		Try(ctx context.Context, b relay.Batch) (answer string, err error)
	}); can {
		answer, err = tells.Try(ctx, b)
	} else {
		_, err = to.Deliver(ctx, b)
	}
	if err != nil {
		return fmt.Errorf("relay %s: not delivered: %w", c.Name, err)
	}
	fmt.Fprintln(out, "\ndelivered"+behind(answer))
	return nil
}

func behind(answer string) string {
	if answer == "" {
		return ""
	}
	return ": " + printable.Line(answer)
}
