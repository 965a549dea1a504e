package cli

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"jobwatch/internal/printable"
	"jobwatch/internal/store"
)

// completeJobs offers the names of known jobs to a shell. Where none can be had it stays silent: the line that is
// being typed is no place for errors.
func completeJobs(c *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
	var names []string
	_ = withAdmin(c, false, func(a admin) error {
		return eachJob(c.Context(), a, func(l store.Listed) error {
			name := l.ID().String()
			if !strings.HasPrefix(name, begun) {
				return nil
			}
			about := printable.Line(string(l.Snapshot.Client) + " " + string(l.Snapshot.State))
			if names = append(names, name+"\t"+strings.TrimSpace(about)); len(names) == mostOffered {
				return errEnough
			}
			return nil
		})
	})
	return names, cobra.ShellCompDirectiveNoFileComp
}

const mostOffered = 200 // jobs; a shell asks before it shows as many

var errEnough = errors.New("enough")

func completeJob(c *cobra.Command, typed []string, begun string) ([]string, cobra.ShellCompDirective) {
	if len(typed) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return completeJobs(c, typed, begun)
}
