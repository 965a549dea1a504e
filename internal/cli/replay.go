package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"jobwatch/internal/config"
	"jobwatch/internal/console"
	"jobwatch/internal/daemon"
	"jobwatch/internal/event"
	"jobwatch/internal/printable"
	"jobwatch/internal/relay"
	"jobwatch/internal/stream"
)

func newReplay() *cobra.Command {
	var since, to string
	var subjects []string
	c := &cobra.Command{
		Use:   "replay --since TIME",
		Short: "Give once more what the stream has told",
		Long: "replay reads a part of the stream, up to its end at this moment, and prints its events, one a line, or\n" +
			"publishes them to a subject, each with the header " + relay.ReplayedHeader + ": true. Nobody who reads the stream\n" +
			"notices. The subject must be none of jobwatch's own: no event is told twice under it.\n\n" +
			"With --to and the name of a relay, that delivers once more what it takes, each job's events in order, behind\n" +
			"what waits of the job. replay ends when that is done; if it is ended before, up to 100 are still delivered.",
		Example: "  watcher replay --since 24h\n" +
			"  watcher replay --since 2026-11-23T14:00:00Z --subject 'jobs.prod.*.*.failure.>' --to replay.failures\n" +
			"  watcher replay --since 24h --to ops",
		Args: cobra.NoArgs,
	}
	c.Flags().StringVar(&since, "since", "", "begin there: a `time` (RFC 3339) or a duration (24h)")
	c.Flags().StringArrayVar(&subjects, "subject", nil, "only what this `filter` takes, as jobs.prod.>, without the prefix; several may be given")
	c.Flags().StringVar(&to, "to", "-", "where to: - prints; a `relay`, which delivers it; or a subject, which it is published to")
	completeFlag(c, "to", completeRelays)
	completeFlag(c, "subject", completeFilters)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if since == "" {
			return errors.New("--since is missing: a duration as 24h, or a time as 2026-11-23T14:00:00Z")
		}
		start, err := sinceWhen(since, time.Now())
		if err != nil {
			return err
		}
		cfg, err := loadConfig(c)
		if err != nil {
			return err
		}
		part := stream.Start{Since: start}
		if part.Subjects, err = replayed(cfg.NATS.SubjectPrefix, subjects); err != nil {
			return err
		}
		if i := slices.IndexFunc(cfg.Relays, func(r config.Relay) bool { return r.Name == to }); i >= 0 {
			return replayToRelay(c, cfg, part, cfg.Relays[i], len(subjects) > 0)
		}
		if to == "-" {
			return fail(withProgressBeside(c, func(ctx context.Context) error {
				return daemon.AtStream(ctx, cfg, "replay", func(ctx context.Context, b *stream.Broker) error {
					return b.ReadPart(ctx, part, printRaw(c.OutOrStdout()))
				})
			}))
		}
		if err := mayReplayTo(cfg, to); err != nil {
			return err
		}
		return replayTo(c, cfg, part, to)
	}
	return c
}

// completeFilters offers what takes the events of each CommCell.
func completeFilters(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	filters := []string{"jobs.>", "commcells.>"}
	if cfg, err := loadConfig(c); err == nil {
		for _, cell := range cfg.CommCells {
			filters = append(filters, "jobs."+cell.Name+".>")
		}
	}
	return filters, cobra.ShellCompDirectiveNoFileComp
}

// replayToRelay has a relay deliver once more what it takes of a part of the stream; where none was chosen, of what its own
// subjects name.
func replayToRelay(c *cobra.Command, cfg *config.Config, part stream.Start, to config.Relay, chosen bool) error {
	if cfg.NATS.UsesEmbedded() && stream.DirFree(cfg.NATS.Embedded.Dir) == nil {
		return fail(noWatcherServes(cfg))
	}
	if !chosen {
		var err error
		if part.Subjects, err = replayed(cfg.NATS.SubjectPrefix, to.Subjects); err != nil {
			return err
		}
	}
	count := 0
	err := console.WithProgress(c.Context(), c.ErrOrStderr(), func(ctx context.Context, above io.Writer) (err error) {
		count, err = orderReplay(ctx, above, cfg, part, to.Name)
		return err
	})
	if err != nil && count > 0 {
		err = fmt.Errorf("%w; %d events were ordered before that", err, count)
	}
	if err != nil {
		return fail(err)
	}
	_, err = fmt.Fprintf(c.ErrOrStderr(), "the relay %s is done with %d events\n", to.Name, count)
	return fail(err)
}

// orderReplay returns when the relay is done with what was ordered.
func orderReplay(ctx context.Context, errs io.Writer, cfg *config.Config, part stream.Start, name string) (count int, err error) {
	err = daemon.AtStream(ctx, cfg, "replay", func(ctx context.Context, b *stream.Broker) error {
		var events []uint64 // read first: a reader that waits for a relay would be forgotten
		err := b.ReadPart(ctx, part, func(m stream.Message) error {
			events = append(events, m.Sequence)
			return nil
		})
		if err != nil {
			return err
		}
		if err := sayWhyItWaits(ctx, errs, cfg, b, name); err != nil {
			return err
		}
		count, err = relay.Replay(ctx, b, cfg.NATS.Stream, name, events)
		return err
	})
	return count, err
}

// sayWhyItWaits tells who waits for a relay that it does not deliver now.
func sayWhyItWaits(ctx context.Context, errs io.Writer, cfg *config.Config, b *stream.Broker, name string) error {
	is, err := relay.Statuses(ctx, b, cfg.NATS.Stream, cfg.NATS.SubjectPrefix, []string{name})
	if err != nil || is[0].State == relay.Delivering && is[0].Reason == "" {
		return err
	}
	line := fmt.Sprintf("the relay %s is %s: %s; this waits until it delivers", name, is[0].State, cmp.Or(is[0].Reason, "it has never run"))
	_, err = fmt.Fprintln(errs, printable.Line(line))
	return err
}

// replayTo publishes the events of a part of the stream.
func replayTo(c *cobra.Command, cfg *config.Config, part stream.Start, subject string) error {
	if cfg.NATS.UsesEmbedded() && stream.DirFree(cfg.NATS.Embedded.Dir) == nil {
		return fail(noWatcherServes(cfg))
	}
	count, last := 0, time.Time{}
	err := withProgress(c, func(ctx context.Context) error {
		return daemon.AtStream(ctx, cfg, "replay", func(ctx context.Context, b *stream.Broker) error {
			return b.ReadPart(ctx, part, func(m stream.Message) error {
				e, err := event.Parse(m.Data)
				if err != nil {
					return nil // another's message on our subjects
				}
				header := map[string][]string{"Content-Type": {event.ContentType}, relay.ReplayedHeader: {"true"}}
				if err := b.Send(ctx, subject, header, m.Data); err != nil {
					return err
				}
				count, last = count+1, e.Time
				return nil
			})
		})
	})
	if err != nil && count > 0 {
		err = fmt.Errorf("%w; %d events were published before that, the last of %s", err, count, last.Format(time.RFC3339Nano))
	}
	if err != nil {
		return fail(err)
	}
	noRelay := ""
	if len(cfg.Relays) > 0 && !strings.Contains(subject, ".") {
		noRelay = "; no relay is called that"
	}
	_, err = fmt.Fprintf(c.ErrOrStderr(), "%d events published to the subject %s%s\n", count, subject, noRelay)
	return fail(err)
}

// replayed are the filters under the prefix. None within another is left: NATS would refuse it.
func replayed(prefix string, filters []string) ([]string, error) {
	var wanted []string
	for _, filter := range filters {
		tree, _, _ := strings.Cut(filter, ".")
		if !stream.IsFilter(filter) || tree != "jobs" && tree != "commcells" && tree != "*" && tree != ">" {
			return nil, fmt.Errorf("--subject %s: no filter of events; write one as jobs.prod.> or commcells.>, without the prefix", filter)
		}
		if prefix != "" {
			filter = prefix + "." + filter
		}
		wanted = append(wanted, filter)
	}
	if len(wanted) == 0 {
		return event.Subjects(prefix), nil
	}
	return stream.Widest(wanted), nil
}

// mayReplayTo refuses what is no subject, and what would be told twice: our own subjects, and those of NATS.
func mayReplayTo(cfg *config.Config, subject string) error {
	if !stream.CanSendTo(subject) {
		return fmt.Errorf("--to %s: neither - nor a subject; one has no wildcards, no spaces and no empty token", subject)
	}
	own := append(event.Subjects(cfg.NATS.SubjectPrefix), "$>")
	for _, tree := range []string{"relays", "jobwatch"} {
		own = append(own, strings.TrimPrefix(cfg.NATS.SubjectPrefix+"."+tree+".>", "."))
	}
	for _, filter := range own {
		if strings.HasPrefix(subject+".", strings.TrimSuffix(filter, ">")) {
			return fmt.Errorf("--to %s: one of the subjects of jobwatch or NATS itself; name another, as replay.events", subject)
		}
	}
	return nil
}
