package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"jobwatch/internal/job"
)

func newJobs() *cobra.Command {
	jobs := &cobra.Command{
		Use:   "jobs",
		Short: "List and show the jobs that are known, and their events; track and untrack them",
		Long: "jobs asks the running watcher, or where none runs the store's file itself.\n" +
			"A job is named <commcell>/<job id>. What is shown of it is as old as its last change: show says of when.",
		Example: "  watcher jobs list\n  watcher jobs show prod/1248",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	jobs.AddCommand(newJobsList(), newJobsShow(), newJobsHistory(),
		newJobsEdit("track", "Have a job looked at now, and until its end is told", admin.Track, "tracked"),
		newJobsEdit("untrack", "Have a job looked at no more, also if the CommServe lists it", admin.Untrack, "untracked"))
	return jobs
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
