// Package doctor checks all that a configuration names, as the daemon will meet it, and says what it finds. It makes
// and changes nothing, but that it renews a pair of tokens that has expired.
package doctor

import (
	"context"
	"fmt"

	"jobwatch/internal/config"
	"jobwatch/internal/daemon"
	"jobwatch/internal/stream"
)

// Finding is what one check has found.
type Finding struct {
	Grade stream.Grade `json:"grade"`
	What  string       `json:"what"` // "commcell prod: login"
	Text  string       `json:"text"` // what was found, and how to fix it where that is needed
}

func fine(what, format string, values ...any) Finding {
	return Finding{stream.OK, what, fmt.Sprintf(format, values...)}
}

func doubtful(what, format string, values ...any) Finding {
	return Finding{stream.Warning, what, fmt.Sprintf(format, values...)}
}

func broken(what string, err error) Finding { return Finding{stream.Failed, what, err.Error()} }

// Check tells what it finds, in the order of the configuration. The CommCells are asked at the same time: one that
// does not answer takes its whole time-out.
func Check(ctx context.Context, cfg *config.Config, file, version string, tell func(Finding)) {
	tell(fine("configuration", "%s is valid", file))
	for _, notice := range daemon.Notices(cfg) {
		tell(doubtful("configuration", "%s", notice))
	}
	cells := make([]chan []Finding, len(cfg.CommCells))
	for i, cell := range cfg.CommCells {
		cells[i] = make(chan []Finding, 1)
		go func() { cells[i] <- checkCommCell(ctx, cell) }()
	}
	for _, found := range cells {
		for _, f := range <-found {
			tell(f)
		}
	}
	running, _ := daemon.IsRunning(cfg.Store.Path)
	nats := checkNATS(ctx, cfg, running)
	if nats[0].Grade != stream.Failed {
		nats = append(nats, checkCluster(ctx, cfg, running)...)
	}
	for _, f := range nats {
		tell(f)
	}
	for _, f := range checkRelays(ctx, cfg, version) {
		tell(f)
	}
	tell(checkStore(cfg.Store, running))
	if cfg.HTTP.Listen != "" {
		tell(checkHTTP(cfg.HTTP.Listen, running))
	}
}
