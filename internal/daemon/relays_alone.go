package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"jobwatch/internal/config"
	"jobwatch/internal/metrics"
	"jobwatch/internal/stream"
	"jobwatch/internal/system"
)

// Relays is a program that runs relays, and neither polls nor has a store.
type Relays struct {
	Config  *config.Config
	Names   []string // which; none: all
	Version string
	Log     *slog.Logger
	Level   *slog.LevelVar

	File    string
	Hangups <-chan os.Signal

	HTTP     string // host:port; empty: off
	FreePort bool   // another port where that one is taken
}

// Run runs until ctx ends. Its error is one that somebody has to fix before the next start.
func (d *Relays) Run(ctx context.Context) error {
	for _, notice := range Notices(d.Config) {
		d.Log.Warn(notice)
	}
	settings, err := StreamConfig(d.Config, d.Log)
	if err != nil {
		return err
	}
	settings.Name = "jobwatch relay"
	broker, counts := stream.New(settings), metrics.New(d.Version)
	all := newRelays(d.of, relaying{d.Config.NATS, broker, counts, d.Version, d.Log}.newRelay)
	all.take(d.Config)
	counts.Read(metrics.Sources{Broker: broker, Relays: all.measured})
	site, err := d.newSite()
	if err != nil {
		return err
	}
	defer site.close()
	if site != nil {
		site.config.Broker, site.config.Relays, site.config.Metrics = broker, all.shown, counts.Handler()
	}
	return d.start(ctx, broker, all, site, counts)
}

func (d *Relays) start(ctx context.Context, broker *stream.Broker, all relays, site *site, counts *metrics.Metrics) error {
	group, ctx := errgroup.WithContext(ctx)
	ended := make(chan struct{})
	for _, run := range []func(context.Context) error{
		func(ctx context.Context) error { return all.runUntilGoodbye(ctx, ended, d.Log) },
		func(ctx context.Context) error { return runBehind(ctx, broker, ended) },
		func(ctx context.Context) error { return keepReady(ctx, broker, d.Log) },
		func(ctx context.Context) error { return site.serve(ctx) },
		func(ctx context.Context) error {
			apply := func(c *config.Config) (string, error) { return all.take(c), nil }
			r := reloader{file: d.File, started: d.Config, hangups: d.Hangups, apply: apply, done: counts.Reloaded, log: d.Log, level: d.Level}
			return r.Run(ctx)
		},
	} {
		group.Go(func() error { return run(ctx) })
	}
	return group.Wait()
}

// of are the relays of a configuration that run here.
func (d *Relays) of(c *config.Config) []config.Relay {
	return slices.DeleteFunc(slices.Clone(c.Relays), func(r config.Relay) bool {
		return len(d.Names) > 0 && !slices.Contains(d.Names, r.Name)
	})
}

// KnowsRelay refuses a name that the configuration does not know.
func KnowsRelay(c *config.Config, name string) error {
	names := make([]string, len(c.Relays))
	for i, r := range c.Relays {
		if r.Name == name {
			return nil
		}
		names[i] = r.Name
	}
	if len(names) == 0 {
		return fmt.Errorf("relay %s: the configuration has no relays", name)
	}
	return fmt.Errorf("relay %s: the configuration has %s", name, strings.Join(names, ", "))
}

func (d *Relays) newSite() (*site, error) {
	c := d.Config.HTTP
	c.Listen = d.HTTP
	s, err := newSite(c, d.Version, d.Log)
	if !d.FreePort || !system.AddressInUse(err) {
		return s, err
	}
	host, _, _ := net.SplitHostPort(c.Listen)
	taken := c.Listen
	c.Listen = net.JoinHostPort(host, "0")
	if s, err = newSite(c, d.Version, d.Log); err == nil {
		d.Log.Info(fmt.Sprintf("%s is taken; health, readiness and metrics are at %s (choose with --http)", taken, s.listener.Addr()))
	}
	return s, err
}

// keepReady has the stream found fit whenever it is not known to be, which the publisher does elsewhere.
func keepReady(ctx context.Context, broker *stream.Broker, log *slog.Logger) error {
	said := ""
	for ctx.Err() == nil {
		refuted, err := broker.Ready(ctx)
		if err == nil {
			said = ""
			select {
			case <-refuted:
			case <-ctx.Done():
			}
			continue
		}
		if ctx.Err() == nil && err.Error() != said {
			said = err.Error()
			log.Warn("nothing can be relayed; trying on", "err", err)
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
	return nil
}
