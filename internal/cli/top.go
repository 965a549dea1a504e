package cli

import (
	"context"
	"os"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"jobwatch/internal/config"
	"jobwatch/internal/console"
	"jobwatch/internal/event"
	"jobwatch/internal/job"
	"jobwatch/internal/store"
	"jobwatch/internal/stream"
)

func newTop() *cobra.Command {
	asked := jobQuery{}
	c := &cobra.Command{
		Use:   "top",
		Short: "Look at the jobs as they run: a screen to filter, to order and to open jobs on",
		Long: "top asks the running watcher every two seconds, and shows the jobs that have not ended and those that ended in\n" +
			"the last 24 hours, what needs a person first. ? names the keys. Where there is no terminal it does what\n" +
			"jobs list --watch does.",
		Example: "  watcher top\n  watcher top --client 'sql-*' --since 8h",
		Args:    cobra.NoArgs,
	}
	asked.filterFlags(c, "24h")
	utc := utcFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		cfg, err := asked.ready(c)
		if err != nil {
			return err
		}
		watcher, err := newLive(c, cfg)
		if err != nil {
			return fail(err)
		}
		screen, clock := screenOf(c, *utc)
		if in, ok := c.InOrStdin().(*os.File); !screen.Terminal() || !ok || !term.IsTerminal(int(in.Fd())) {
			return fail(watchJobs(c.Context(), watcher, asked, screen, clock))
		}
		top := console.NewTop(c.Context(), &topSource{live: watcher, cfg: cfg, query: asked}, screen, clock)
		return fail(top.Run(tea.WithInput(c.InOrStdin()), tea.WithOutput(c.OutOrStdout())))
	}
	return c
}

// topSource is where top reads.
type topSource struct {
	*live
	cfg   *config.Config
	query jobQuery
}

const mostOfTop = 1000 // jobs that are read each time

func (s *topSource) Jobs(ctx context.Context) (jobs []store.Listed, all int, err error) {
	q := s.query
	q.EndedSince, _ = sinceWhen(q.since, time.Now()) // checked before
	ids, err := s.Select(ctx, q.Selection)
	if err != nil {
		return nil, 0, err
	}
	for len(ids) > 0 && len(jobs) < mostOfTop {
		some := ids[:min(len(ids), jobsAtOnce)]
		ids = ids[len(some):]
		page, err := s.Show(ctx, some)
		if err != nil {
			return nil, 0, err
		}
		for _, l := range page {
			if q.takes(&l) {
				jobs = append(jobs, l)
			}
		}
	}
	return jobs, len(jobs) + len(ids), nil
}

func (s *topSource) Job(ctx context.Context, id job.ID) (store.Listed, []stream.Message, error) {
	l, err := s.live.Job(ctx, id)
	if err != nil {
		return l, nil, err
	}
	events, err := lastEventsOf(ctx, s.cfg, id, mostOfPage)
	return l, events, err
}

const mostOfPage = 1000 // events of a job that its course is drawn from

func (s *topSource) Subject(id job.ID) string { return event.Filter(s.cfg.NATS.SubjectPrefix, id) }
