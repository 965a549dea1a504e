package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"jobwatch/internal/config"
	"jobwatch/internal/control"
	"jobwatch/internal/job"
	"jobwatch/internal/store"
)

func newJobsList() *cobra.Command {
	var asked jobQuery
	var watch bool
	c := &cobra.Command{
		Use:   "list",
		Short: "List the jobs that are known: what has not ended and is new comes first",
		Long: "list prints the jobs that have not ended, the newest first, and then those that have, the latest end first.\n" +
			"On a terminal a job is one line, cut to its width; elsewhere nothing is cut, and times have date and zone.\n" +
			"DONE is of the last answer, where a watcher runs. With --watch, which wants one, it goes on until Ctrl-C: on a\n" +
			"terminal the list is drawn anew in place; elsewhere what changes is printed, behind new, changed or gone.",
		Example: "  watcher jobs list\n" +
			"  watcher jobs list --failed --since 24h\n" +
			"  watcher jobs list --stalled --client 'sql-*' --watch\n" +
			"  watcher jobs list --class held --class queued --sort started -o wide\n" +
			"  watcher jobs list --tracked -o jsonl",
		Args: cobra.NoArgs,
	}
	form := formFlag(c, listForms)
	utc := utcFlag(c)
	asked.flags(c)
	c.Flags().BoolVar(&watch, "watch", false, "go on, and show what changes")
	c.RunE = func(c *cobra.Command, _ []string) error {
		cfg, err := asked.ready(c)
		if err != nil {
			return err
		}
		screen, clock := screenOf(c, *utc)
		if watch {
			watcher, err := newLive(c, cfg)
			if err != nil {
				return fail(err)
			}
			return fail(watchJobs(c.Context(), watcher, asked, screen, clock))
		}
		return withAdmin(c, false, func(a admin) error {
			return listJobs(c.Context(), a, asked, newJobList(*form, screen, clock))
		})
	}
	return c
}

// jobQuery says which jobs are listed, in which order, and how many.
type jobQuery struct {
	jobFilter
	sort  string
	limit int
}

func (q *jobQuery) flags(c *cobra.Command) {
	q.filterFlags(c, "")
	f := c.Flags()
	f.StringVar(&q.sort, "sort", "", "order by this `key`, with - before it the other way round: "+strings.Join(sortKeys(), ", "))
	f.IntVar(&q.limit, "limit", 0, "print this `number` of jobs at most; 0: all")
	completeFlag(c, "sort", fixed(sortKeys()...))
}

func (q *jobQuery) filterFlags(c *cobra.Command, since string) {
	f := c.Flags()
	f.StringVar(&q.CommCell, "commcell", "", "only those of this `CommCell`")
	f.StringSliceVar(&q.classes, "class", nil, "only those whose state is of this `class`, or one of several: "+strings.Join(classes, ", "))
	f.StringVar(&q.client, "client", "", "only those of this `client`; * and ? stand for any characters, and any one")
	f.BoolVar(&q.failed, "failed", false, "only those that ended badly: class failed, partial or killed")
	f.BoolVar(&q.stalled, "stalled", false, "only those that get no further")
	f.BoolVar(&q.held, "held", false, "only those that are held: pending, suspended, interrupted")
	f.BoolVar(&q.tracked, "tracked", false, "only those that are looked at")
	f.StringVar(&q.since, "since", since, "of those that have ended, only what ended since: a `time` (RFC 3339) or a duration (24h)")
	completeFlag(c, "class", fixed(classes...))
	completeNames(c)
}

// ready checks what was typed, also against the configuration.
func (q *jobQuery) ready(c *cobra.Command) (*config.Config, error) {
	if err := q.check(time.Now()); err != nil {
		return nil, err
	}
	return loadKnowing(c, q.CommCell)
}

func (q *jobQuery) check(now time.Time) error {
	if _, known := sorts[strings.TrimPrefix(q.sort, "-")]; q.sort != "" && !known {
		return fmt.Errorf("--sort %s: no key; there are %s", q.sort, strings.Join(sortKeys(), ", "))
	}
	if q.limit < 0 {
		return fmt.Errorf("--limit %d: wants 0 or more", q.limit)
	}
	return q.jobFilter.check(now)
}

// selector is the part of an admin that jobs are listed by.
type selector interface {
	Select(ctx context.Context, s control.Selection) ([]job.ID, error)
	Show(ctx context.Context, ids []job.ID) ([]store.Listed, error)
}

const jobsAtOnce = 200

var errEnough = errors.New("enough")

func listJobs(ctx context.Context, a selector, q jobQuery, list jobList) error {
	err := eachSelected(ctx, a, q, list.add)
	if err != nil {
		return err
	}
	return list.end()
}

// eachSelected yields the jobs of a query. Of 50,000 few are held at once: sorted, they are read twice.
func eachSelected(ctx context.Context, a selector, q jobQuery, yield func(store.Listed) error) error {
	ids, err := a.Select(ctx, q.Selection)
	if err == nil && q.sort != "" {
		ids, err = sorted(ctx, a, ids, q)
	}
	if err != nil {
		return err
	}
	count := 0
	err = eachOf(ctx, a, ids, func(l store.Listed) error {
		if !q.takes(&l) {
			return nil
		}
		if count++; q.limit > 0 && count > q.limit {
			return errEnough
		}
		return yield(l)
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// eachOf reads jobs, some at once.
func eachOf(ctx context.Context, a selector, ids []job.ID, yield func(store.Listed) error) error {
	for some := range slices.Chunk(ids, jobsAtOnce) {
		page, err := a.Show(ctx, some)
		if err != nil {
			return err
		}
		for _, l := range page {
			if err := yield(l); err != nil {
				return err
			}
		}
	}
	return nil
}
