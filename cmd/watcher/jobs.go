package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"jobwatch/internal/job"
	"jobwatch/internal/store"
)

func newJobs() *cobra.Command {
	jobs := &cobra.Command{
		Use:   "jobs",
		Short: "List and show the jobs that are known, track and untrack them",
		Long: "jobs asks the running watcher, or where none runs the store's file itself.\n" +
			"A job is named <commcell>/<job id>. What is shown of it is as old as its last change: see snapshotAt.",
		Example: "  watcher jobs list\n  watcher jobs show prod/1248",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	jobs.AddCommand(newJobsList(), newJobsShow(),
		newJobsEdit("track", "Have a job looked at now, and until its end is told", desk.Track, "tracked"),
		newJobsEdit("untrack", "Have a job looked at no more, also if the CommServe lists it", desk.Untrack, "untracked"))
	return jobs
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
	c.Flags().StringVar(&filter.class, "class", "", "only those whose state is of this `class` (active, queued, held, succeeded, partial, failed, killed, unknown)")
	c.Flags().StringVar(&filter.client, "client", "", "only those of this client")
	c.Flags().BoolVar(&filter.tracked, "tracked", false, "only those that are looked at")
	c.RunE = func(c *cobra.Command, _ []string) error {
		return atDesk(c, false, func(d desk) error {
			list := newJobTable(c.OutOrStdout())
			if *form == asJSON {
				list = &jobArray{out: c.OutOrStdout()}
			}
			return listJobs(c, d, filter, list)
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

func listJobs(c *cobra.Command, d desk, filter jobFilter, list jobList) error {
	for after := (job.ID{}); ; {
		page, err := d.Jobs(c.Context(), after, jobsAtOnce)
		if err != nil {
			return err
		}
		for _, l := range page {
			after = l.ID()
			if !filter.takes(l) {
				continue
			}
			if err := list.add(l); err != nil {
				return err
			}
		}
		if len(page) < jobsAtOnce {
			return list.end()
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
		localTime(s.StartTime), string(l.Why), shorten(string(s.ReasonText()), 60))
	return nil
}

// jobArray prints a JSON array.
type jobArray struct {
	out   io.Writer
	count int
}

func (a *jobArray) add(l store.Listed) error {
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	opening := "[\n"
	if a.count > 0 {
		opening = ",\n"
	}
	a.count++
	_, err = fmt.Fprintf(a.out, "%s%s", opening, text)
	return err
}

func (a *jobArray) end() error {
	if a.count == 0 {
		_, err := fmt.Fprintln(a.out, "[]")
		return err
	}
	_, err := fmt.Fprintln(a.out, "\n]")
	return err
}

func newJobsShow() *cobra.Command {
	c := &cobra.Command{
		Use:     "show JOB",
		Short:   "Show all that is known of a job, its machines too",
		Example: "  watcher jobs show prod/1248\n  watcher jobs show prod/1248 -o json",
		Args:    cobra.ExactArgs(1),
	}
	form := outputFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		id, err := job.ParseID(args[0])
		if err != nil {
			return err
		}
		return atDesk(c, false, func(d desk) error {
			l, err := d.Job(c.Context(), id)
			if err != nil {
				return err
			}
			if *form == asJSON {
				return printJSON(c.OutOrStdout(), l)
			}
			return showJob(c.OutOrStdout(), l)
		})
	}
	return c
}

func newJobsEdit(verb, short string, edit func(desk, context.Context, job.ID) error, past string) *cobra.Command {
	return &cobra.Command{
		Use:     verb + " JOB…",
		Short:   short,
		Example: fmt.Sprintf("  watcher jobs %s prod/1248", verb),
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			var ids []job.ID
			for _, arg := range args {
				id, err := job.ParseID(arg)
				if err != nil {
					return err
				}
				ids = append(ids, id)
			}
			return atDesk(c, true, func(d desk) error {
				for _, id := range ids {
					if err := edit(d, c.Context(), id); err != nil {
						return err
					}
					fmt.Fprintf(c.OutOrStdout(), "%s: %s\n", id, past)
				}
				return nil
			})
		},
	}
}

// showJob prints the members that have a value, as JSON names them, and the machines.
func showJob(out io.Writer, l store.Listed) error {
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	t := newTable(out)
	for _, m := range members(text) {
		t.row(m.name, m.value)
	}
	if err := t.end(); err != nil || len(l.Snapshot.Machines) == 0 {
		return err
	}
	fmt.Fprintln(out)
	t = newTable(out, "MACHINE", "FAILURE", "AGENT", "STARTED", "ENDED")
	for _, vm := range l.Snapshot.Machines {
		t.row(vm.Name, strings.TrimSpace(string(vm.Reason)), string(vm.Agent), localTime(vm.StartTime), localTime(vm.EndTime))
	}
	return t.end()
}
