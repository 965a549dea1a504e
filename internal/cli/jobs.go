package cli

import (
	"bytes"
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
		Short: "List and show the jobs that are known, and their events; track and untrack them",
		Long: "jobs asks the running watcher, or where none runs the store's file itself.\n" +
			"A job is named <commcell>/<job id>. What is shown of it is as old as its last change: see snapshotAt.",
		Example: "  watcher jobs list\n  watcher jobs show prod/1248",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	jobs.AddCommand(newJobsList(), newJobsShow(), newJobsHistory(),
		newJobsEdit("track", "Have a job looked at now, and until its end is told", admin.Track, "tracked"),
		newJobsEdit("untrack", "Have a job looked at no more, also if the CommServe lists it", admin.Untrack, "untracked"))
	return jobs
}

func newJobsShow() *cobra.Command {
	c := &cobra.Command{
		Use:     "show JOB",
		Short:   "Show all that is known of a job, its machines too",
		Example: "  watcher jobs show prod/1248\n  watcher jobs show prod/1248 -o json",
		Args:    cobra.ExactArgs(1),

		ValidArgsFunction: completeJob,
	}
	form := outputFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		id, err := job.ParseID(args[0])
		if err != nil {
			return err
		}
		return withAdmin(c, false, func(a admin) error {
			l, err := a.Job(c.Context(), id)
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

func newJobsEdit(verb, short string, edit func(admin, context.Context, job.ID) error, past string) *cobra.Command {
	return &cobra.Command{
		Use:     verb + " JOB…",
		Short:   short,
		Example: fmt.Sprintf("  watcher jobs %s prod/1248", verb),
		Args:    cobra.MinimumNArgs(1),

		ValidArgsFunction: completeJobs,

		RunE: func(c *cobra.Command, args []string) error {
			var ids []job.ID
			for _, arg := range args {
				id, err := job.ParseID(arg)
				if err != nil {
					return err
				}
				ids = append(ids, id)
			}
			return withAdmin(c, true, func(a admin) error {
				for _, id := range ids {
					if err := edit(a, c.Context(), id); err != nil {
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
	t = newTable(out, "MACHINE", "JOB", "FAILURE", "AGENT", "STARTED", "ENDED")
	for _, vm := range l.Snapshot.Machines {
		own := ""
		if vm.Job != nil {
			own = job.ID{CommCell: l.Snapshot.CommCell, Number: *vm.Job}.String()
		}
		t.row(vm.Name, own, strings.TrimSpace(string(vm.Reason)), string(vm.Agent), localTime(vm.StartTime), localTime(vm.EndTime))
	}
	return t.end()
}

// member is one line of what is shown of an object.
type member struct{ name, value string }

// members gives the members of a JSON object that have a plain value, in their order.
func members(object []byte) []member {
	decoder := json.NewDecoder(bytes.NewReader(object))
	decoder.UseNumber()
	if _, err := decoder.Token(); err != nil {
		return nil
	}
	var all []member
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return all
		}
		var value any
		if err := decoder.Decode(&value); err != nil {
			return all
		}
		switch value := value.(type) {
		case nil, []any:
		case map[string]any:
			text, _ := json.Marshal(value)
			all = append(all, member{fmt.Sprint(name), string(text)})
		default:
			all = append(all, member{fmt.Sprint(name), fmt.Sprint(value)})
		}
	}
	return all
}
