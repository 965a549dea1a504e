package daemon

import (
	"context"
	"fmt"

	"jobwatch/internal/config"
	"jobwatch/internal/control"
	"jobwatch/internal/poller"
	"jobwatch/internal/store"
	"jobwatch/internal/system"
)

// CheckSocket finds a group that is none here, which would leave the watcher without a socket.
func CheckSocket(c *config.Config) error {
	if c.Store.SocketGroup == "" {
		return nil
	}
	if _, err := system.Group(c.Store.SocketGroup); err != nil {
		return c.Mistake("store.socket_group", fmt.Sprintf("%q: %v", c.Store.SocketGroup, err))
	}
	return nil
}

// serveSocket lets the commands jobs, store and debug reach this process. Without a socket the watching goes on.
func (p *parts) serveSocket(ctx context.Context) error {
	server := control.Server{Store: p.Config.Store.Path, Group: p.Config.Store.SocketGroup, Admin: p.admin(), Debug: p.debug()}
	if err := server.Run(ctx); err != nil {
		p.Log.Warn("no socket: the commands jobs, store and debug cannot reach this watcher", "err", err)
	}
	return nil
}

// serveRequests lets those whom NATS lets list, track and untrack jobs.
func (p *parts) serveRequests(ctx context.Context) error {
	return p.broker.Serve(ctx, control.Service(p.adminOfOwn(), p.Config.NATS.SubjectPrefix, p.Version))
}

func (p *parts) admin() *control.Admin {
	return &control.Admin{Store: p.store, TellOwner: p.tellOwner, FollowedBy: p.followedBy, CommCells: func() map[string]control.CommCell {
		return CommCells(p.pollers.Cells(), p.File, p.pollers.Pollers())
	}}
}

// CommCells is what control has to know of the CommCells of a configuration.
func CommCells(cells []config.CommCell, file string, pollers []*poller.Poller) map[string]control.CommCell {
	known := map[string]control.CommCell{}
	for _, cell := range cells {
		places := map[int64]string{}
		for number, line := range cell.JobLines {
			places[number] = fmt.Sprintf("%s:%d", file, line)
		}
		known[cell.Name] = control.CommCell{Jobs: places}
	}
	for _, p := range pollers {
		if cell, found := known[p.CommCell]; found {
			cell.PollNow, cell.Progress = p.PollNow, progressOf(p)
			known[p.CommCell] = cell
		}
	}
	return known
}

func progressOf(p *poller.Poller) func(int64) *store.Progress {
	return func(number int64) *store.Progress {
		now, known := p.Progress(number)
		if !known {
			return nil
		}
		return &store.Progress{Percent: now.Percent, Asked: now.Asked}
	}
}
