package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"jobwatch/internal/sim"
)

func newSim() *cobra.Command {
	var config sim.Config
	var listen string
	command := &cobra.Command{
		Use:   "sim",
		Short: "Play a CommServe, to try jobwatch or to develop subscribers against",
		Long: "sim serves the part of Commvault's REST API that jobwatch uses, over jobs that begin, fail,\n" +
			"wait and end by themselves. The same seed plays the same jobs.",
		Example: "  watcher sim\n  watcher sim --listen 127.0.0.1:8081 --jobs 200 --speed 10",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if config.Speed <= 0 || config.Jobs < 0 || config.Arrivals < 0 {
				return errors.New("--speed must be above 0, --jobs and --arrivals not below")
			}
			config.NoRecord = true
			listener, err := listenOn(listen, "--listen")
			if err != nil {
				return fail(err)
			}
			cs := sim.New(config)
			fmt.Fprintf(c.OutOrStdout(), "http://%s/webconsole/api is a %s", listener.Addr(), cs)
			return fail(serve(c.Context(), listener, cs))
		},
	}
	flags := command.Flags()
	flags.StringVar(&listen, "listen", "127.0.0.1:8081", "`address` to serve on")
	flags.Int64Var(&config.Seed, "seed", 1, "of the jobs' lives")
	flags.Float64Var(&config.Speed, "speed", 1, "how many times faster than life jobs live")
	flags.IntVar(&config.Jobs, "jobs", 20, "that run at the start")
	flags.Float64Var(&config.Arrivals, "arrivals", 0.1, "jobs that begin in a simulated second")
	return command
}

func listenOn(address, key string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w; choose another address", key, address, err)
	}
	return listener, nil
}

// serve serves until ctx ends.
func serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		<-ctx.Done()
		return server.Close()
	})
	group.Go(func() error {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	return group.Wait()
}
