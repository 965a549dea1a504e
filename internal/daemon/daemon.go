// Package daemon is the running program as a value: Run opens what it needs, and start shows the order in which its
// parts begin.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"jobwatch/internal/cluster"
	"jobwatch/internal/commvault"
	"jobwatch/internal/config"
	"jobwatch/internal/event"
	"jobwatch/internal/metrics"
	"jobwatch/internal/poller"
	"jobwatch/internal/publish"
	"jobwatch/internal/store"
	"jobwatch/internal/stream"
)

// Daemon is the running program: two loops, the file between them, and the broker.
type Daemon struct {
	Config  *config.Config
	Version string // that it shows
	Log     *slog.Logger
	Level   *slog.LevelVar // of Log; nil: it stays as it is

	File    string           // the configuration's; "": it has none, and is never reloaded
	Hangups <-chan os.Signal // each reloads it

	NoRelays bool             // relays are another process's business
	Embedded *stream.Embedded // where the caller has started it; else Run does, if it is configured
}

// parts are what Run puts together.
type parts struct {
	*Daemon
	store     *store.Store
	metrics   *metrics.Metrics
	pollers   *pollers
	site      *site // the HTTP side
	embedded  *stream.Embedded
	broker    *stream.Broker
	board     stream.Board
	publisher *publish.Publisher
	member    *cluster.Member // nil: it is alone
	relays    relays
	taken     atomic.Pointer[taken] // the configuration read last
}

type taken struct {
	*config.Config
	at time.Time
}

// Run runs until ctx ends. Its error is one that somebody has to fix before the next start.
func (d *Daemon) Run(ctx context.Context) error {
	defer runtime.KeepAlive(make([]byte, ballast))
	for _, notice := range Notices(d.Config) {
		d.Log.Warn(notice)
	}
	p := &parts{Daemon: d, metrics: metrics.New(d.Version)}
	p.taken.Store(&taken{d.Config, time.Now()})
	p.metrics.ShowLastSuccess(d.Config.Metrics.LastSuccess.Clients, d.Config.Metrics.LastSuccess.Limit)
	defer p.close()
	for _, open := range []func(context.Context) error{
		p.openStore,
		p.makePollers,
		p.openSite,
		p.openNATS,
		p.makeMember,
		p.makeRelays,
	} {
		if err := open(ctx); err != nil {
			return err
		}
	}
	return p.untilBroken(ctx, p.start)
}

// start runs all parts until ctx ends or one of them cannot go on: the publisher once the stream was found, the
// pollers once it was read, each after a short wait at most, and the others at once. Relays run beside them, and end nothing.
func (p *parts) start(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	start := func(run func(context.Context) error) { group.Go(func() error { return run(ctx) }) }
	start(p.serveSite)
	start(p.serveSocket)
	start(p.reload)
	start(p.noteSuccesses)
	if p.embedded != nil {
		start(p.embedded.Run)
	}
	relayed, parted := make(chan struct{}), make(chan struct{})
	start(func(ctx context.Context) error { return p.relays.runUntilGoodbye(ctx, relayed, p.Log) })
	start(func(ctx context.Context) error { return p.runMember(ctx, parted) })
	start(func(ctx context.Context) error { return runBehind(ctx, p.broker, relayed, parted) })
	start(p.serveRequests)
	start(func(ctx context.Context) error {
		unread := AwaitStream(ctx, p.broker)
		var misfit *stream.MisfitError // of the stream or the server: refuse to start. That NATS is away is no reason
		if errors.As(unread, &misfit) {
			return misfit
		}
		start(func(ctx context.Context) error { return runBehind(ctx, p.publisher, parted) }) // it reads the stream before it sends
		if p.member != nil {                                                                  // which decides when polling starts
			return p.pollers.Run(ctx)
		}
		if unread == nil {
			unread = awaitReading(ctx, p.publisher.CaughtUp())
		}
		p.sayHowItStarts(ctx, unread)
		return p.pollers.Run(ctx)
	})
	return group.Wait()
}

// untilBroken runs until ctx ends, or the store's file turns out to be overwritten by somebody else. Then nobody is
// waited for, and nobody who uses the store gets an answer: what is in the file is neither to be worked with nor
// reported on.
func (p *parts) untilBroken(ctx context.Context, run func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	p.store.Broken = func(err error) {
		ended <- err
		select {} // until the process ends
	}
	go func() { ended <- run(ctx) }()
	return <-ended
}

func (p *parts) openStore(ctx context.Context) (err error) {
	c := p.Config
	p.store, err = store.OpenCompacted(ctx, c.Store.Path, event.NewMinter(c.Severity), p.Log)
	if err == nil {
		p.store.Took = p.metrics.Committed
	}
	if err == nil && c.NATS.OnNewStream == "resend" {
		p.store.KeepSent = c.Store.KeepSent
	}
	return err
}

func (p *parts) makePollers(context.Context) (err error) {
	p.pollers, err = newPollers(p.Config.CommCells, p.Config.Cluster.Enabled, p.newPoller)
	return err
}

func (p *parts) openSite(context.Context) (err error) {
	p.site, err = newSite(p.Config.HTTP, p.Version, p.Log)
	return err
}

func (p *parts) openNATS(context.Context) (err error) {
	c := p.Config.NATS
	if p.embedded = p.Embedded; p.embedded == nil && c.UsesEmbedded() {
		if p.embedded, err = StartEmbedded(c, p.Log); err != nil {
			return err
		}
	}
	if p.broker, err = newBroker(p.Config, p.embedded, p.store, p.Log); err != nil {
		return err
	}
	p.publisher = publish.New(publish.Config{
		Store: p.store, Broker: p.broker, Prefix: c.SubjectPrefix, Log: p.Log, Follows: p.pollers.Follows, Sibling: p.sibling,
	})
	return nil
}

// close closes what was opened, the last first. An embedded server that the caller has started is the caller's.
func (p *parts) close() {
	if p.embedded != nil && p.Embedded == nil {
		p.embedded.Close()
	}
	p.site.close()
	if p.store != nil {
		p.store.Close()
	}
}

// readPatience is how long the start waits for the stream to be read, once it is there: it is better read before the
// first poll, which then tells nothing that was told already. But polling does not depend on NATS.
const readPatience = 5 * time.Second

// ballast is counted by the garbage collector, and takes no memory, since nobody touches it: the small heap of a
// watcher of some thousand jobs, collected at every doubling, would cost a tenth of all CPU time. A memory limit
// would do the same, and have a watcher of a million jobs collect without end.
const ballast = 8 << 20

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

func (p *parts) sayHowItStarts(ctx context.Context, unread error) {
	switch {
	case ctx.Err() != nil:
	case unread != nil:
		p.Log.Warn("polling starts before the stream was read; what changes is kept until that is done, and sent then", "err", unread)
	default:
		p.Log.Info("polling starts; the stream has been read")
	}
}

func (p *parts) serveSite(ctx context.Context) error {
	p.metrics.Read(metrics.Sources{Broker: p.broker, Board: &p.board, Store: p.store, Publisher: p.publisher, Pollers: p.pollers.Pollers, Relays: p.relays.measured, Cluster: p.clusterMeasured()})
	return p.site.run(ctx, p)
}

func (p *parts) reload(ctx context.Context) error {
	if p.File == "" {
		return nil
	}
	r := reloader{file: p.File, started: p.Config, hangups: p.Hangups, apply: p.apply, done: p.metrics.Reloaded, log: p.Log, level: p.Level}
	return r.Run(ctx)
}

// apply takes what of a configuration a running watcher can take. With an error nothing changes.
func (p *parts) apply(c *config.Config) (string, error) {
	words, err := p.pollers.Apply(c.CommCells)
	if err != nil {
		return "", err
	}
	p.taken.Store(&taken{c, time.Now()})
	return joinWords(words, p.relays.take(c)), nil
}

func joinWords(some, more string) string {
	if some != "" && more != "" {
		return some + ", " + more
	}
	return some + more
}

func (p *parts) makeRelays(context.Context) error {
	p.relays = newRelays(p.relaysOf, relaying{p.Config.NATS, p.broker, p.metrics, p.Version, p.Log}.newRelay)
	p.relays.take(p.Config)
	return nil
}

// relaysOf are the relays that run here.
func (p *parts) relaysOf(c *config.Config) []config.Relay {
	if p.NoRelays {
		return nil
	}
	return c.Relays
}

func (p *parts) newPoller(cell config.CommCell) (*poller.Poller, error) {
	meter := p.metrics.CommCell(cell.Name)
	client, err := NewClient(cell, meter.Request, p.Log)
	if err != nil {
		return nil, err
	}
	meter.ReadQuota(client.Quota)
	meter.ReadServer(client)
	return newPoller(cell, client, p.store, meter, p.Log)
}

func newPoller(cell config.CommCell, client *commvault.Client, st *store.Store, meter poller.Meter, log *slog.Logger) (*poller.Poller, error) {
	schedule, err := config.ParseSchedule(cell.Schedule)
	if err != nil {
		return nil, err
	}
	return poller.New(poller.Config{
		CommCell: cell.Name, Source: client, Store: st, Schedule: schedule, Spec: cell.Schedule, Log: log,
		Jobs: cell.Jobs, Discover: cell.Discover.Enabled, FinishedWithin: cell.Discover.FinishedWithin,
		Filter: NewFilter(cell),
		Sweep:  poller.Sweep(cell.Sweep), FullRefresh: cell.FullRefresh,
		KeepFinished: cell.KeepFinished, Concurrency: cell.Concurrency, RateLimit: cell.RateLimit,
		Timeout: cell.Timeout, StallAfter: cell.StallAfter, LostAfter: cell.LostAfter, Meter: meter, Identify: client.GUID, GUID: cell.GUID, AskRaw: client.RawDetails,
		Feed: client, FeedEvery: cell.FeedEvery,
	}), nil
}

// NewFilter gives what a CommCell lets through of its Job list.
func NewFilter(cell config.CommCell) poller.Filter {
	return poller.NewFilter(cell.Discover.Include, cell.Discover.Exclude)
}

// SweepsByList says whether a CommCell with so many tracked jobs is swept by its Job list.
func SweepsByList(cell config.CommCell, tracked int) bool {
	return poller.SweepsByList(poller.Sweep(cell.Sweep), tracked)
}
