package cli

import (
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"jobwatch/internal/daemon"
)

func newRelayRun() *cobra.Command {
	c := &cobra.Command{
		Use:   "run [NAME…]",
		Short: "Run relays in a process of their own, which polls nothing",
		Long: "run takes events from the stream to the destinations of the relays named, or of all.\n" +
			"Where a watcher runs the same relays, one of the two delivers, and the other goes on when it dies.\n" +
			"It has no store, and may run on another machine: what it remembers is in NATS.",
		Example: "  watcher relay run -c /etc/jobwatch/watcher.yaml\n  watcher relay run ops --http 127.0.0.1:9481",

		ValidArgsFunction: completeRelays,
	}
	http := c.Flags().String("http", "", "`host:port` of /healthz, /readyz and /metrics; \"\": none (default: http.listen, or a free port)")
	c.RunE = func(c *cobra.Command, args []string) error {
		cfg, err := loadToRun(c)
		if err != nil {
			return err
		}
		for _, name := range args {
			if err := daemon.KnowsRelay(cfg, name); err != nil {
				return err
			}
		}
		outliveReaders()
		file, _ := c.Flags().GetString("config")
		log, level := newLog(c.ErrOrStderr(), cfg.Log)
		hangups := make(chan os.Signal, 1)
		signal.Notify(hangups, syscall.SIGHUP)
		defer signal.Stop(hangups)
		d := daemon.Relays{Config: cfg, Names: args, Version: version(), Log: log, Level: level, File: file, Hangups: hangups}
		if d.HTTP = *http; !c.Flags().Changed("http") {
			d.HTTP, d.FreePort = cfg.HTTP.Listen, true
		}
		log.Info("relaying")
		if err := d.Run(c.Context()); err != nil {
			return fail(err)
		}
		log.Info("stopped")
		return nil
	}
	return c
}
