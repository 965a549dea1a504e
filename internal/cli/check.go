package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"jobwatch/internal/config"
	"jobwatch/internal/daemon"
	"jobwatch/internal/stream"
)

func newCheck() *cobra.Command {
	c := &cobra.Command{
		Use:   "check",
		Short: "Check the configuration, and all that it names",
		Long: "check reads the configuration, then looks at each CommCell (name, connection, login, job list, one job's\n" +
			"details), at NATS (version, stream, rights), at the store and at the HTTP address. It makes and\n" +
			"changes nothing, beside a running watcher or before the first start. The status is 1 if something failed.",
		Example: "  watcher check -c /etc/jobwatch/watcher.yaml\n  watcher check -o json",
		Args:    cobra.NoArgs,
	}
	form := outputFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		cfg, err := loadConfig(c)
		if err != nil {
			return err
		}
		file, _ := c.Flags().GetString("config")
		all := []finding{}
		var unsaid error
		check(c.Context(), cfg, file, func(f finding) {
			all = append(all, f)
			if *form == asTable && unsaid == nil {
				unsaid = printFinding(c.OutOrStdout(), f)
			}
		})
		if *form == asJSON {
			unsaid = printJSON(c.OutOrStdout(), all)
		}
		if unsaid != nil {
			return fail(unsaid)
		}
		if n := count(all, stream.Failed); n > 0 {
			return fail(fmt.Errorf("%s: %d of %d checks failed", file, n, len(all)))
		}
		return nil
	}
	return c
}

// check tells what it finds, in the order of the configuration. The CommCells are asked at the same time: one that
// does not answer takes its whole time-out.
func check(ctx context.Context, cfg *config.Config, file string, tell func(finding)) {
	tell(fine("configuration", "%s is valid", file))
	for _, notice := range daemon.Notices(cfg) {
		tell(doubtful("configuration", "%s", notice))
	}
	cells := make([]chan []finding, len(cfg.CommCells))
	for i, cell := range cfg.CommCells {
		cells[i] = make(chan []finding, 1)
		go func() { cells[i] <- checkCommCell(ctx, cell) }()
	}
	for _, found := range cells {
		for _, f := range <-found {
			tell(f)
		}
	}
	running := isRunning(cfg.Store)
	for _, f := range checkNATS(ctx, cfg, running) {
		tell(f)
	}
	tell(checkStore(cfg.Store, running))
	if cfg.HTTP.Listen != "" {
		tell(checkHTTP(cfg.HTTP.Listen, running))
	}
}
