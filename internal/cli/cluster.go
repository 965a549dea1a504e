package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"jobwatch/internal/cluster"
	"jobwatch/internal/config"
	"jobwatch/internal/daemon"
	"jobwatch/internal/stream"
)

func newCluster() *cobra.Command {
	c := &cobra.Command{
		Use:   "cluster",
		Short: "Show how the watchers stand that share the CommCells; have one of them give its own away",
		Long: "cluster is about the watchers that share the CommCells of a configuration (cluster.enabled).\n" +
			"What it shows and changes is in NATS: it works from every machine that has the configuration.",
		Example: "  watcher cluster status\n  watcher cluster leave w2",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newClusterStatus(), newClusterLeave())
	return c
}

// withCluster runs do at the bucket in which the watchers of the command's configuration meet.
func withCluster(c *cobra.Command, do func(context.Context, *config.Config, stream.Bucket) error) error {
	cfg, err := loadConfig(c)
	if err != nil {
		return err
	}
	if err := daemon.InCluster(cfg); err != nil {
		return err
	}
	return fail(daemon.AtCluster(c.Context(), cfg, c.Name(), func(ctx context.Context, b stream.Bucket) error {
		return do(ctx, cfg, b)
	}))
}

func newClusterStatus() *cobra.Command {
	c := &cobra.Command{
		Use:     "status",
		Short:   "Show which watchers live, who polls what, and what is wrong with that",
		Example: "  watcher cluster status\n  watcher cluster status -o json",
		Args:    cobra.NoArgs,
	}
	form := outputFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		return withCluster(c, func(ctx context.Context, cfg *config.Config, b stream.Bucket) error {
			s, err := daemon.ReadCluster(ctx, b)
			if err != nil {
				return err
			}
			if len(s.Members) == 0 {
				return fmt.Errorf("no watcher takes part in the cluster of stream %s; start one with: watcher run", cfg.NATS.Stream)
			}
			s = daemon.Shown(s, cfg.CommCells)
			if *form == asJSON {
				return printJSON(c.OutOrStdout(), s)
			}
			return printCluster(c.OutOrStdout(), s, time.Now())
		})
	}
	return c
}

func newClusterLeave() *cobra.Command {
	c := &cobra.Command{
		Use:   "leave [INSTANCE]",
		Short: "Have a watcher give away all that it polls, and take nothing more until its next start",
		Long: "leave has a watcher give away all that it polls, and take nothing more until its next start.\n" +
			"It need not be able to work: the others take what it does not give. Without INSTANCE it is that of this configuration.",
		Example: "  watcher cluster leave\n  watcher cluster leave w2",
		Args:    cobra.MaximumNArgs(1),

		ValidArgsFunction: completeInstance,
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		return withCluster(c, func(ctx context.Context, cfg *config.Config, b stream.Bucket) error {
			instance, err := "", error(nil)
			if len(args) > 0 {
				instance = args[0]
			} else if instance, err = cfg.Instance(); err != nil {
				return err
			}
			return leave(ctx, c.OutOrStdout(), cfg, b, instance)
		})
	}
	return c
}

// completeInstance offers the instances to a shell, which does not wait long.
func completeInstance(c *cobra.Command, typed []string, _ string) ([]string, cobra.ShellCompDirective) {
	var names []string
	ctx, cancel := context.WithTimeout(c.Context(), 3*time.Second)
	defer cancel()
	c.SetContext(ctx)
	if len(typed) == 0 {
		_ = withCluster(c, func(ctx context.Context, _ *config.Config, b stream.Bucket) error {
			s, err := cluster.Read(ctx, b)
			for _, m := range s.Members {
				names = append(names, m.Instance)
			}
			return err
		})
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
