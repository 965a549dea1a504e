package cli

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"jobwatch/internal/config"
	"jobwatch/internal/daemon"
	"jobwatch/internal/event"
	"jobwatch/internal/job"
	"jobwatch/internal/stream"
)

var kinds = []string{job.KindState, job.KindPhase, job.KindFailure, job.KindWatch, job.KindCommCell}

func newTail() *cobra.Command {
	var wanted event.Selection
	var only, since string
	c := &cobra.Command{
		Use:   "tail",
		Short: "Print the events of the stream as they come",
		Long: "tail reads the stream as any subscriber does, until Ctrl-C. It needs NATS, where the embedded server\n" +
			"serves it a running watcher, and changes nothing.",
		Example: "  watcher tail\n" +
			"  watcher tail --kind failure --since 24h\n" +
			"  watcher tail --job prod/1248 --since 2026-11-23T14:00:00Z -o json",
		Args: cobra.NoArgs,
	}
	form := outputFlag(c)
	c.Flags().StringVar(&wanted.CommCell, "commcell", "", "only events of this CommCell")
	c.Flags().StringVar(&only, "job", "", "only events of this `job`, as prod/1248")
	c.Flags().StringVar(&wanted.Client, "client", "", "only events of this client's jobs")
	c.Flags().StringVar(&wanted.Kind, "kind", "", "only events of this `kind`: "+strings.Join(kinds, ", "))
	c.Flags().StringVar(&since, "since", "", "begin in the past: a `time` (RFC 3339) or a duration (24h); default is now")
	_ = c.RegisterFlagCompletionFunc("kind", cobra.FixedCompletions(kinds, cobra.ShellCompDirectiveNoFileComp))
	c.RunE = func(c *cobra.Command, _ []string) error {
		start, err := sinceWhen(since, time.Now())
		if err != nil {
			return err
		}
		if err := selectJob(&wanted, only); err != nil {
			return err
		}
		cfg, err := loadConfig(c)
		if err == nil {
			err = knowsCommCell(cfg, wanted.CommCell)
		}
		if err != nil {
			return err
		}
		log, _ := newLog(c.ErrOrStderr(), config.Log{Level: "warn", Format: cfg.Log.Format})
		settings, err := daemon.StreamConfig(cfg, slog.New(slog.DiscardHandler))
		if err != nil {
			return fail(err)
		}
		settings.ReadOnly, settings.Name = true, "jobwatch tail"
		f := follower{settings: settings, log: log, start: stream.Start{Since: start, Subjects: wanted.Subjects(cfg.NATS.SubjectPrefix)}}
		if start.IsZero() {
			f.place = behindTheEnd
		}
		f.print = newPrinter(c.OutOrStdout()).event
		if *form == asJSON {
			f.print = printRaw(c.OutOrStdout())
		}
		err = f.Run(c.Context())
		if errors.Is(err, daemon.ErrAway) && cfg.NATS.UsesEmbedded() {
			err = noWatcherServes(cfg)
		}
		return fail(err)
	}
	return c
}

func noWatcherServes(cfg *config.Config) error {
	return fmt.Errorf("no watcher is running that serves NATS on %s; start one with: watcher run", cfg.NATS.Embedded.Listen)
}

// sinceWhen reads a time or a duration before now; "" is the zero time.
func sinceWhen(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("--since %s: neither a duration as 24h, nor a time as 2026-11-23T14:00:00Z", text)
	}
	return at, nil
}

func selectJob(wanted *event.Selection, only string) error {
	if wanted.Kind != "" && !slices.Contains(kinds, wanted.Kind) {
		return fmt.Errorf("--kind %s: no kind; there are %s", wanted.Kind, strings.Join(kinds, ", "))
	}
	if only == "" {
		return nil
	}
	id, err := job.ParseID(only)
	if err != nil {
		return fmt.Errorf("--job: %w", err)
	}
	wanted.CommCell, wanted.Job = id.CommCell, id.Number
	return nil
}

// printRaw prints each event as it is published, one a line.
func printRaw(out io.Writer) func(stream.Message) error {
	return func(m stream.Message) error {
		if _, err := event.Parse(m.Data); err != nil {
			return nil
		}
		_, err := fmt.Fprintf(out, "%s\n", m.Data)
		return err
	}
}
