package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"jobwatch/internal/job"
	"jobwatch/internal/printable"
	"jobwatch/internal/store"
)

var classes = []string{
	string(job.Active), string(job.Queued), string(job.Held), string(job.Succeeded),
	string(job.Partial), string(job.Failed), string(job.Killed), string(job.Unknown),
}

// jobFilter says which jobs are listed; empty members take all.
type jobFilter struct {
	commcell, class, client string
	tracked                 bool
}

func (f jobFilter) takes(l store.Listed) bool {
	s := &l.Snapshot
	return (f.commcell == "" || s.CommCell == f.commcell) &&
		(f.class == "" || string(s.StateClass) == f.class) &&
		(f.client == "" || string(s.Client) == f.client) &&
		(!f.tracked || l.Why != "" && l.Why != store.Untracked)
}

func newJobsList() *cobra.Command {
	var filter jobFilter
	c := &cobra.Command{
		Use:   "list",
		Short: "List the jobs that are known",
		Example: "  watcher jobs list\n" +
			"  watcher jobs list --tracked --class failed\n" +
			"  watcher jobs list --client fall.example.com -o json",
		Args: cobra.NoArgs,
	}
	form := outputFlag(c)
	c.Flags().StringVar(&filter.commcell, "commcell", "", "only those of this CommCell")
	c.Flags().StringVar(&filter.class, "class", "", "only those whose state is of this `class`: "+strings.Join(classes, ", "))
	c.Flags().StringVar(&filter.client, "client", "", "only those of this client")
	c.Flags().BoolVar(&filter.tracked, "tracked", false, "only those that are looked at")
	_ = c.RegisterFlagCompletionFunc("class", cobra.FixedCompletions(classes, cobra.ShellCompDirectiveNoFileComp))
	c.RunE = func(c *cobra.Command, _ []string) error {
		if filter.class != "" && !slices.Contains(classes, filter.class) {
			return fmt.Errorf("--class %s: no class; there are %s", filter.class, strings.Join(classes, ", "))
		}
		cfg, err := loadConfig(c)
		if err == nil {
			err = knowsCommCell(cfg, filter.commcell)
		}
		if err != nil {
			return err
		}
		return withAdmin(c, false, func(a admin) error {
			list := newJobTable(c.OutOrStdout())
			if *form == asJSON {
				list = newJobArray(c.OutOrStdout())
			}
			return listJobs(c.Context(), a, filter, list)
		})
	}
	return c
}

// jobList is a way to print jobs, one by one: there may be 100,000.
type jobList interface {
	add(l store.Listed) error
	end() error
}

const jobsAtOnce = 1000

func listJobs(ctx context.Context, a admin, filter jobFilter, list jobList) error {
	err := eachJob(ctx, a, func(l store.Listed) error {
		if !filter.takes(l) {
			return nil
		}
		return list.add(l)
	})
	if err != nil {
		return err
	}
	return list.end()
}

// eachJob yields all jobs that are known, until yield has an error.
func eachJob(ctx context.Context, a admin, yield func(store.Listed) error) error {
	for after := (job.ID{}); ; {
		page, err := a.Jobs(ctx, after, jobsAtOnce)
		if err != nil {
			return err
		}
		for _, l := range page {
			after = l.ID()
			if err := yield(l); err != nil {
				return err
			}
		}
		if len(page) < jobsAtOnce {
			return nil
		}
	}
}

type jobTable struct{ table }

func newJobTable(out io.Writer) jobList {
	return &jobTable{newTable(out, "JOB", "CLIENT", "OPERATION", "STATE", "PHASE", "STARTED", "TRACKED", "REASON")}
}

func (t *jobTable) add(l store.Listed) error {
	s := &l.Snapshot
	t.row(l.ID().String(), shorten(string(s.Client), 32), string(s.Operation), string(s.State), string(s.Phase),
		localTime(s.StartTime), followed(l), shorten(string(s.ReasonText()), 60))
	return nil
}

// followed says why a job is polled, or who follows it in place of this watcher: the page says it in the same words.
func followed(l store.Listed) string {
	if l.FollowedBy != "" && !l.Snapshot.Terminal {
		return "followed by " + l.FollowedBy
	}
	return string(l.Why)
}

// array prints a JSON array.
type array struct {
	out   io.Writer
	count int
}

type jobArray struct{ array }

func newJobArray(out io.Writer) jobList { return &jobArray{array{out: out}} }

func (a *jobArray) add(l store.Listed) error {
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	return a.put(text)
}

func (a *array) put(text []byte) error {
	opening := "[\n"
	if a.count > 0 {
		opening = ",\n"
	}
	a.count++
	_, err := fmt.Fprintf(printable.JSON{Out: a.out}, "%s%s", opening, text)
	return err
}

func (a *array) end() error {
	if a.count == 0 {
		_, err := fmt.Fprintln(a.out, "[]")
		return err
	}
	_, err := fmt.Fprintln(a.out, "\n]")
	return err
}
