package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"jobwatch/internal/config"
	"jobwatch/internal/console"
	"jobwatch/internal/daemon"
	"jobwatch/internal/event"
	"jobwatch/internal/job"
	"jobwatch/internal/printable"
	"jobwatch/internal/store"
	"jobwatch/internal/stream"
)

func newJobsShow() *cobra.Command {
	c := &cobra.Command{
		Use:   "show JOB",
		Short: "Show all that is known of a job, its machines and its last events too",
		Long: "show prints what the job does and why, its names, times and sizes, the machines that failed by their reasons,\n" +
			"and the last events that the stream holds of it, where NATS answers. It is as of the job's last change.",
		Example: "  watcher jobs show prod/1248\n  watcher jobs show prod/1248 -o json",
		Args:    cobra.ExactArgs(1),

		ValidArgsFunction: completeJob,
	}
	form := outputFlag(c)
	utc := utcFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		id, err := job.ParseID(args[0])
		if err != nil {
			return err
		}
		var l store.Listed
		err = withAdmin(c, false, func(a admin) error {
			l, err = a.Job(c.Context(), id)
			return err
		})
		if err != nil {
			return err
		}
		if *form == asJSON {
			return fail(printJSON(c.OutOrStdout(), l))
		}
		cfg, err := loadConfig(c)
		if err != nil {
			return err
		}
		screen, clock := screenOf(c, *utc)
		if err := console.PrintPage(screen, clock, &l); err != nil {
			return fail(err)
		}
		return fail(printLastEvents(c, cfg, id, console.NewEvents(screen, clock)))
	}
	return c
}

const (
	lastEvents     = 8
	eventsPatience = 3 * time.Second // the page is there without them
)

// lastEventsOf reads the last events that the stream holds of a job.
func lastEventsOf(ctx context.Context, cfg *config.Config, id job.ID, most int) (last []stream.Message, err error) {
	err = daemon.AtStream(ctx, cfg, "jobs show", func(ctx context.Context, b *stream.Broker) error {
		return b.Each(ctx, event.Filter(cfg.NATS.SubjectPrefix, id), 0, func(m stream.Message) error {
			if last = append(last, m); len(last) > most {
				last = last[1:]
			}
			return nil
		})
	})
	return last, err
}

// printLastEvents is the end of a job's page. That they cannot be had is said there, and is no failure.
func printLastEvents(c *cobra.Command, cfg *config.Config, id job.ID, events *console.Events) error {
	ctx, cancel := context.WithTimeout(c.Context(), eventsPatience)
	defer cancel()
	last, err := lastEventsOf(ctx, cfg, id, lastEvents)
	said := ""
	switch {
	case ctx.Err() != nil:
		said = fmt.Sprintf("Events: NATS gives none within %v", eventsPatience)
	case err != nil:
		said = "Events: " + printable.Line(err.Error())
	case len(last) == 0:
		said = "Events: the stream holds none"
	}
	if _, err := fmt.Fprint(c.OutOrStdout(), strings.TrimRight("\n"+said, "\n")+"\n"); err != nil || said != "" {
		return err
	}
	for _, m := range last {
		if err := events.Print(m); err != nil {
			return err
		}
	}
	return nil
}
