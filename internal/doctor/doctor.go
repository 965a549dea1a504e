// Package doctor checks all that a configuration names, as the daemon will meet it, and says what it finds. It makes
// and changes nothing, but that it renews a pair of tokens that has expired.
package doctor

import (
	"context"
	"fmt"
	"strings"

	"jobwatch/internal/config"
	"jobwatch/internal/daemon"
	"jobwatch/internal/stream"
)

// Finding is what one check has found.
type Finding struct {
	Grade stream.Grade `json:"grade"`
	What  string       `json:"what"`  // "commcell prod: login"
	Text  string       `json:"text"`  // what was found, and how to fix it where that is needed
	Group string       `json:"group"` // of what it is: "commcell prod"
	Check string       `json:"check"` // what was looked at there: "login"; "" for the whole
}

func fine(what, format string, values ...any) Finding {
	return Finding{Grade: stream.OK, What: what, Text: fmt.Sprintf(format, values...)}
}

func doubtful(what, format string, values ...any) Finding {
	return Finding{Grade: stream.Warning, What: what, Text: fmt.Sprintf(format, values...)}
}

func broken(what string, err error) Finding {
	return Finding{Grade: stream.Failed, What: what, Text: err.Error()}
}

// within puts a finding under what it is of.
func (f Finding) within(group string) Finding {
	f.Group, f.Check = group, ""
	if rest, ours := strings.CutPrefix(f.What, group); ours {
		f.Check = strings.TrimLeft(rest, ": ")
	}
	return f
}

// Check tells what it finds, in the order of the configuration, and of one group together. The CommCells are asked at the same time: one that
// does not answer takes its whole time-out.
func Check(ctx context.Context, cfg *config.Config, file, version string, tell func(Finding)) {
	told := func(group string, found ...Finding) {
		for _, f := range found {
			tell(f.within(group))
		}
	}
	told("configuration", fine("configuration", "%s is valid", file))
	for _, notice := range daemon.Notices(cfg) {
		told("configuration", doubtful("configuration", "%s", notice))
	}
	cells := make([]chan []Finding, len(cfg.CommCells))
	for i, cell := range cfg.CommCells {
		cells[i] = make(chan []Finding, 1)
		go func() { cells[i] <- checkCommCell(ctx, cell) }()
	}
	for i, found := range cells {
		told("commcell "+cfg.CommCells[i].Name, <-found...)
	}
	running, _ := daemon.IsRunning(cfg.Store.Path)
	nats := checkNATS(ctx, cfg, running)
	told("NATS", nats...)
	if nats[0].Grade != stream.Failed {
		told("cluster", checkCluster(ctx, cfg, running)...)
	}
	for _, f := range checkRelays(ctx, cfg, version) {
		told(f.What, f)
	}
	told("store", checkStore(cfg.Store, running))
	if cfg.HTTP.Listen != "" {
		told("HTTP", checkHTTP(cfg.HTTP.Listen, running))
	}
}
