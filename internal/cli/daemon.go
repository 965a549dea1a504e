package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"

	"jobwatch/internal/config"
	"jobwatch/internal/control"
	"jobwatch/internal/event"
	"jobwatch/internal/job"
	"jobwatch/internal/metrics"
	"jobwatch/internal/poller"
	"jobwatch/internal/publish"
	"jobwatch/internal/store"
	"jobwatch/internal/stream"
)

// daemon is the running program: the two loops, the file between them, and the broker.
type daemon struct {
	config *config.Config
	log    *slog.Logger

	file    string           // the configuration's; "": it has none, and is never taken anew
	hangups <-chan os.Signal // take it anew

	embedded *stream.Embedded // where whoever runs the daemon has started it; else Run does, if it is configured

	metrics *metrics.Metrics // made by Run, as is
	site    *site            // the HTTP side
}

// readPatience is how long the start waits for the stream to be read, once it is there: it is better read before the
// first poll, which then tells nothing that was told already. But polling does not depend on NATS.
const readPatience = 5 * time.Second

// ballast is counted by the garbage collector, and takes no memory, since nobody touches it: the small heap of a
// watcher of some thousand jobs, collected at every doubling, would cost a tenth of all CPU time. A memory limit
// would do the same, and have a watcher of a million jobs collect without end.
const ballast = 8 << 20

// Run runs until ctx ends. Its error is one that somebody has to mend before a start.
func (d *daemon) Run(ctx context.Context) error {
	defer runtime.KeepAlive(make([]byte, ballast))
	for _, notice := range notices(d.config) {
		d.log.Warn(notice)
	}
	mint := event.NewMinter(severities(d.config.Severity))
	st, err := store.OpenCompacted(ctx, d.config.Store.Path, mint, d.log)
	if err != nil {
		return err
	}
	defer st.Close()
	if d.config.NATS.OnNewStream == "resend" {
		st.KeepSent = d.config.Store.KeepSent
	}
	d.metrics = metrics.New(version())
	cells, err := newRoster(d.config.CommCells, func(cell config.CommCell) (*poller.Poller, error) { return d.poller(cell, st) })
	if err != nil {
		return err
	}
	if d.site, err = openSite(d.config.HTTP, d.log); err != nil {
		return err
	}
	defer d.site.close()
	if d.config.NATS.UsesEmbedded() && d.embedded == nil {
		if d.embedded, err = startEmbedded(d.config.NATS, d.log); err != nil {
			return err
		}
		defer d.embedded.Close()
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	broken, ended := make(chan error, 1), make(chan error, 1)
	st.Broken = func(err error) {
		select {
		case broken <- err:
		default:
		}
		select {} // until the process ends: what is in the file is not to be worked with, nor reported on
	}
	go func() { ended <- d.loops(ctx, st, cells) }()
	select {
	case err := <-ended:
		return err
	case err := <-broken:
		return err // nobody is waited for: who uses the store may never return
	}
}

// loops runs the broker's connection, the publisher, and as soon as the stream has been read, or a short wait for that
// is over, the pollers.
func (d *daemon) loops(ctx context.Context, st *store.Store, cells *roster) error {
	broker, err := newBroker(d.config.NATS, d.embedded, st, d.log)
	if err != nil {
		return err
	}
	publisher := publish.New(publish.Config{
		Store: st, Broker: broker, Prefix: d.config.NATS.SubjectPrefix, Log: d.log, Follows: cells.Follows,
	})
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return d.site.run(ctx, shown{st, broker, publisher, cells.Pollers, d.metrics}) })
	group.Go(func() error { return broker.Run(ctx) })
	if d.embedded != nil {
		group.Go(func() error { return d.embedded.Run(ctx) })
	}
	group.Go(func() error { return d.serveDesk(ctx, st, cells) })
	if d.file != "" {
		reload := reloader{file: d.file, started: d.config, hangups: d.hangups, take: cells.Take, log: d.log}
		group.Go(func() error { return reload.Run(ctx) })
	}
	group.Go(func() error {
		unread := awaitStream(ctx, broker)
		var misfit *stream.MisfitError // of the stream or the server: refuse to start. That NATS is away is no reason
		if errors.As(unread, &misfit) {
			return misfit
		}
		group.Go(func() error { return publisher.Run(ctx) })
		if unread == nil {
			unread = awaitReading(ctx, publisher.CaughtUp())
		}
		d.sayHowItStarts(ctx, unread)
		return cells.Run(ctx)
	})
	return group.Wait()
}

// awaitReading waits until the stream has been read, but not for long.
func awaitReading(ctx context.Context, read <-chan struct{}) error {
	patience := time.NewTimer(readPatience)
	defer patience.Stop()
	select {
	case <-read:
		return nil
	case <-patience.C:
		return fmt.Errorf("the stream could not be read to its end within %v", readPatience)
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (d *daemon) sayHowItStarts(ctx context.Context, unread error) {
	switch {
	case ctx.Err() != nil:
	case unread != nil:
		d.log.Warn("polling starts before the stream was read; what changes is kept until that is done, and sent then", "err", unread)
	default:
		d.log.Info("polling starts; the stream has been read")
	}
}

// serveDesk lets the jobs and store commands reach this process. Without a socket the watching goes on.
func (d *daemon) serveDesk(ctx context.Context, st *store.Store, cells *roster) error {
	known := func() map[string]control.CommCell { return deskCells(cells.Cells(), d.file, cells.Pollers()) }
	server := control.Server{Store: d.config.Store.Path, Desk: &control.Desk{Store: st, CommCells: known}}
	if err := server.Run(ctx); err != nil {
		d.log.Warn("no socket: the commands jobs and store cannot reach this watcher", "err", err)
	}
	return nil
}

func (d *daemon) poller(cell config.CommCell, st *store.Store) (*poller.Poller, error) {
	meter := d.metrics.CommCell(cell.Name)
	client, err := newClient(cell, meter.Request, d.log)
	if err != nil {
		return nil, err
	}
	meter.ReadQuota(client.Quota)
	schedule, err := config.ParseSchedule(cell.Schedule)
	if err != nil {
		return nil, err
	}
	return poller.New(poller.Config{
		CommCell: cell.Name, Source: client, Store: st, Schedule: schedule, Log: d.log,
		Jobs: cell.Jobs, Discover: cell.Discover.Enabled, FinishedWithin: cell.Discover.FinishedWithin,
		Filter: poller.NewFilter(cell.Discover.Include, cell.Discover.Exclude),
		Sweep:  poller.Sweep(cell.Sweep), FullRefresh: cell.FullRefresh,
		KeepFinished: cell.KeepFinished, Concurrency: cell.Concurrency, RateLimit: cell.RateLimit,
		Timeout: cell.Timeout, StallAfter: cell.StallAfter, LostAfter: cell.LostAfter, Meter: meter, Identify: client.GUID, GUID: cell.GUID,
		Feed: client, FeedEvery: cell.FeedEvery,
	}), nil
}

func severities(configured map[string]string) map[string]job.Severity {
	severities := map[string]job.Severity{}
	for slug, severity := range configured {
		severities[slug] = job.Severity(severity)
	}
	return severities
}
