package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"jobwatch/internal/control"
	"jobwatch/internal/printable"
	"jobwatch/internal/store"
)

// What is offered to a shell. Where nothing can be had it stays silent: the line that is being typed is no place for errors.

const mostOffered = 200 // jobs; a shell asks before it shows as many

// completeJobs offers the names of known jobs, what has not ended and is new first.
func completeJobs(c *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
	var names []string
	_ = withAdmin(c, false, func(a admin) error {
		ids, err := a.Select(c.Context(), control.Selection{})
		if err != nil {
			return err
		}
		some := ids[:0]
		for _, id := range ids {
			if strings.HasPrefix(id.String(), begun) && len(some) < mostOffered {
				some = append(some, id)
			}
		}
		return eachOf(c.Context(), a, some, func(l store.Listed) error {
			about := printable.Line(string(l.Snapshot.Client) + " " + string(l.Snapshot.State))
			names = append(names, l.ID().String()+"\t"+strings.TrimSpace(about))
			return nil
		})
	})
	return names, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
}

func completeJob(c *cobra.Command, typed []string, begun string) ([]string, cobra.ShellCompDirective) {
	if len(typed) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return completeJobs(c, typed, begun)
}

// completeFiles offers files for so many arguments; completeFile for the value of a flag.
func completeFiles(most int) cobra.CompletionFunc {
	return func(_ *cobra.Command, typed []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(typed) >= most {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return nil, cobra.ShellCompDirectiveDefault
	}
}

func completeFile(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveDefault
}

// completeDir offers folders for the first argument.
func completeDir(_ *cobra.Command, typed []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(typed) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return nil, cobra.ShellCompDirectiveFilterDirs
}

func completeFlag(c *cobra.Command, flag string, with cobra.CompletionFunc) {
	if err := c.RegisterFlagCompletionFunc(flag, with); err != nil {
		panic(err) // there is no such flag: it fails in any test
	}
}

// fixed offers one of some words.
func fixed(words ...string) cobra.CompletionFunc {
	return cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)
}

// completeNames has --client and --commcell offer the names that there are.
func completeNames(c *cobra.Command) {
	completeFlag(c, "commcell", completeCommCell)
	completeFlag(c, "client", completeClient)
}

func completeCommCell(c *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
	var names []string
	if cfg, err := loadConfig(c); err == nil {
		for _, cell := range cfg.CommCells {
			if strings.HasPrefix(cell.Name, begun) {
				names = append(names, cell.Name)
			}
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completeClient offers the clients of the latest jobs: to read all 50,000 would keep the shell waiting.
func completeClient(c *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
	const latest = 2000
	var names []string
	seen := map[string]bool{}
	_ = withAdmin(c, false, func(a admin) error {
		ids, err := a.Select(c.Context(), control.Selection{})
		if err != nil {
			return err
		}
		return eachOf(c.Context(), a, ids[:min(len(ids), latest)], func(l store.Listed) error {
			name := printable.Line(string(l.Snapshot.Client))
			if name != "" && !seen[name] && strings.HasPrefix(strings.ToLower(name), strings.ToLower(begun)) {
				seen[name] = true
				names = append(names, name)
			}
			return nil
		})
	})
	return names, cobra.ShellCompDirectiveNoFileComp
}
