package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"jobwatch/internal/config"
	"jobwatch/internal/daemon"
	"jobwatch/internal/sim"
	"jobwatch/internal/stream"
)

func newDemo() *cobra.Command {
	play := sim.Config{Jobs: 12, Arrivals: 0.15, NoRecord: true}
	command := &cobra.Command{
		Use:   "demo",
		Short: "Watch a simulated CommServe, with everything inside this process",
		Long: "demo runs the real daemon with its embedded NATS server against a simulated CommServe, and\n" +
			"prints the events as subscribers get them. It needs nothing and leaves nothing behind.",
		Example: "  watcher demo\n  watcher demo --speed 10",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if play.Speed <= 0 {
				return errors.New("--speed must be above 0")
			}
			return fail(demo(c.Context(), play, c.OutOrStdout(), c.ErrOrStderr()))
		},
	}
	command.Flags().Int64Var(&play.Seed, "seed", 1, "of the jobs' lives")
	command.Flags().Float64Var(&play.Speed, "speed", 3, "how many times faster than life jobs live")
	return command
}

const demoConfig = `
commcells:
  - name: demo
    url: http://%s/webconsole/api
    auth: {username: watcher, password: watcher}
    schedule: "@every 1s"
nats:
  embedded: {listen: %q, dir: %q, sync: interval}
store: {path: %q}
http: {listen: %q}
log: {level: error}
`

func demo(ctx context.Context, play sim.Config, out, errs io.Writer) error {
	dir, err := os.MkdirTemp("", "jobwatch-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	commServe, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	cfg, err := config.Parse("demo", fmt.Appendf(nil, demoConfig,
		commServe.Addr(), freeAddress("127.0.0.1:4222"), filepath.Join(dir, "nats"), filepath.Join(dir, "watcher.db"),
		freeAddress("127.0.0.1:9480")), os.LookupEnv)
	if err != nil {
		return err
	}
	log, level := newLog(errs, cfg.Log)
	embedded, err := daemon.StartEmbedded(cfg.NATS, log)
	if err != nil {
		return err
	}
	defer embedded.Close()

	reader, err := daemon.StreamConfig(cfg, log)
	if err != nil {
		return err
	}
	reader.InProcess = embedded

	outliveReaders()
	printer, events := newPrinter(out), newEvents(out, false)
	printer.welcome(commServe.Addr().String(), embedded.ClientURL(), "http://"+cfg.HTTP.Listen)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return serve(ctx, commServe, sim.New(play)) })
	group.Go(func() error {
		return (&daemon.Daemon{Config: cfg, Version: version(), Log: log, Level: level, Embedded: embedded}).Run(ctx)
	})
	group.Go(func() error {
		show := func(m stream.Message) error { _ = events.Print(m); return nil } // the page goes on without a reader here
		return follower{settings: reader, print: show, log: log}.Run(ctx)
	})
	if err := group.Wait(); err != nil {
		return err
	}
	printer.farewell()
	return nil
}

// freeAddress is the usual address, or one with a free port if that is taken.
func freeAddress(usual string) string {
	for _, address := range []string{usual, "127.0.0.1:0"} {
		listener, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		defer listener.Close()
		return listener.Addr().String()
	}
	return "127.0.0.1:0"
}
