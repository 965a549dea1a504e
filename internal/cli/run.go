package cli

import (
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"jobwatch/internal/config"
	"jobwatch/internal/daemon"
)

func newRun() *cobra.Command {
	c := &cobra.Command{
		Use:     "run",
		Short:   "Watch the CommCells of the configuration until told to stop",
		Example: "  watcher run -c /etc/jobwatch/watcher.yaml",
		Args:    cobra.NoArgs,
	}
	noRelays := c.Flags().Bool("no-relays", false, "leave the relays to another process: watcher relay run")
	c.RunE = func(c *cobra.Command, _ []string) error {
		cfg, err := loadToWatch(c)
		if err != nil {
			return err
		}
		outliveReaders()
		file, _ := c.Flags().GetString("config")
		log, level := newLog(c.ErrOrStderr(), cfg.Log)
		hangups := make(chan os.Signal, 1)
		signal.Notify(hangups, syscall.SIGHUP)
		defer signal.Stop(hangups)
		log.Info("watching", "commcell", names(cfg.CommCells))
		d := daemon.Daemon{Config: cfg, Version: version(), File: file, Hangups: hangups, Log: log, Level: level, NoRelays: *noRelays}
		if err := d.Run(c.Context()); err != nil {
			return fail(err)
		}
		log.Info("stopped")
		return nil
	}
	return c
}

func names(cells []config.CommCell) string {
	var names []string
	for _, cell := range cells {
		names = append(names, cell.Name)
	}
	return strings.Join(names, ", ")
}
