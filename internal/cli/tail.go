package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"jobwatch/internal/config"
	"jobwatch/internal/console"
	"jobwatch/internal/daemon"
	"jobwatch/internal/event"
	"jobwatch/internal/stream"
)

func newTail() *cobra.Command {
	var wanted eventFilter
	var part tailed
	c := &cobra.Command{
		Use:   "tail",
		Short: "Print the events of the stream as they come",
		Long: "tail reads the stream as any subscriber does, until Ctrl-C, or the time of --until. It needs NATS, where the\n" +
			"embedded server serves it a running watcher, and changes nothing. On a terminal a line says the day and the\n" +
			"zone, and an event is one line; that a job failed is said with its state, and not once more.",
		Example: "  watcher tail -n 20\n" +
			"  watcher tail --severity error --since 24h\n" +
			"  watcher tail --client 'sql-*' --class failed --class partial --since 48h --until 24h\n" +
			"  watcher tail --job prod/1248 --since 2026-11-23T14:00:00Z -o json",
		Args: cobra.NoArgs,
	}
	form := outputFlag(c)
	utc := utcFlag(c)
	wanted.flags(c)
	c.Flags().StringVar(&part.since, "since", "", "begin in the past: a `time` (RFC 3339) or a duration (24h); default is now")
	c.Flags().StringVar(&part.until, "until", "", "end there: a `time` (RFC 3339) or a duration before now (1h)")
	c.Flags().IntVarP(&part.last, "last", "n", 0, "begin with this `number` of the latest lines")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := part.check(time.Now()); err != nil {
			return err
		}
		if err := wanted.check(); err != nil {
			return err
		}
		cfg, err := loadKnowing(c, wanted.CommCell)
		if err != nil {
			return err
		}
		part.show = newEvents(c.OutOrStdout(), *utc).Print
		part.lines = func() func(stream.Message) bool { return newEvents(io.Discard, *utc).Shows }
		if *form == asJSON {
			part.show = printRaw(c.OutOrStdout())
			part.lines = func() func(stream.Message) bool { return isEvent }
		}
		part.subjects, part.wants = wanted.Subjects(cfg.NATS.SubjectPrefix), wanted.takes
		return fail(tail(c, cfg, &part))
	}
	return c
}

func newEvents(out io.Writer, utc bool) *console.Events {
	screen := console.ScreenOf(out)
	return console.NewEvents(screen, console.NewClock(utc, screen.Terminal()))
}

// tail prints what is there, and unless that is all that was asked for, what comes.
func tail(c *cobra.Command, cfg *config.Config, part *tailed) error {
	if part.isPast(time.Now()) {
		return daemon.AtStream(c.Context(), cfg, "tail", part.printPast)
	}
	ctx := c.Context()
	if !part.end.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, part.end)
		defer cancel()
	}
	log, _ := newLog(c.ErrOrStderr(), config.Log{Level: "warn", Format: cfg.Log.Format})
	settings, err := daemon.StreamConfig(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	settings.ReadOnly, settings.Name = true, "jobwatch tail"
	f := follower{settings: settings, log: log, start: stream.Start{Since: part.start, Subjects: part.subjects}, print: part.print}
	switch {
	case part.last > 0:
		f.start.Since = time.Time{}
		f.place = part.printLatest
	case part.start.IsZero():
		f.place = behindTheEnd
	}
	err = f.Run(ctx)
	if errors.Is(err, daemon.ErrAway) && cfg.NATS.UsesEmbedded() {
		err = noWatcherServes(cfg)
	}
	return err
}

func noWatcherServes(cfg *config.Config) error {
	return fmt.Errorf("no watcher is running that serves NATS on %s; start one with: watcher run", cfg.NATS.Embedded.Listen)
}

// sinceWhen reads a time or a duration before now; "" is the zero time.
func sinceWhen(text string, now time.Time) (time.Time, error) { return timeOf("--since", text, now) }

func timeOf(flag, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%s %s: neither a duration as 24h, nor a time as 2026-11-23T14:00:00Z", flag, text)
	}
	return at, nil
}

func isEvent(m stream.Message) bool {
	_, err := event.Parse(m.Data)
	return err == nil
}

// printRaw prints each event as it is published, one a line.
func printRaw(out io.Writer) func(stream.Message) error {
	return func(m stream.Message) error {
		if !isEvent(m) {
			return nil
		}
		_, err := fmt.Fprintf(out, "%s\n", m.Data)
		return err
	}
}
