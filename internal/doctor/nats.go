package doctor

import (
	"context"
	"log/slog"

	"jobwatch/internal/config"
	"jobwatch/internal/daemon"
	"jobwatch/internal/stream"
	"jobwatch/internal/system"
)

// checkNATS checks the server that the watcher will meet. Of an embedded one that does not run yet there is nothing to
// check but its address and its folder.
func checkNATS(ctx context.Context, cfg *config.Config, running bool) []Finding {
	c := cfg.NATS
	ctx, cancel := context.WithTimeout(ctx, 2*daemon.NATSPatience)
	defer cancel()
	settings, err := daemon.StreamConfig(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return []Finding{broken("NATS", err)}
	}
	probed := func() []Finding { return probeNATS(ctx, settings) }
	if c.UsesEmbedded() && !running {
		return checkEmbedded(c, probed)
	}
	found := probed()
	if c.UsesEmbedded() {
		found = append(found, writable("NATS", "nats.embedded.dir", c.Embedded.Dir))
	}
	return found
}

func probeNATS(ctx context.Context, settings stream.Config) []Finding {
	var found []Finding
	for _, f := range stream.Probe(ctx, settings) {
		what := "NATS"
		if f.What != what {
			what += " " + f.What
		}
		found = append(found, Finding{Grade: f.Grade, What: what, Text: f.Text})
	}
	return found
}

// checkEmbedded finds what keeps the embedded server from starting. A NATS server in its place may be that of a
// watcher that is about to end, or another's: run finds out.
func checkEmbedded(c config.NATS, probed func() []Finding) []Finding {
	var found []Finding
	if err := canListen("nats.embedded.listen", c.Embedded.Listen); err == nil {
		found = append(found, fine("NATS", "the embedded server can listen on %s; run starts it, and makes stream %s", c.Embedded.Listen, c.Stream))
	} else if server := probed(); system.AddressInUse(err) && server[0].Grade == stream.OK {
		found = append(found, doubtful("NATS", "%v (no watcher of this store runs; %s)", err, server[0].Text))
	} else {
		found = append(found, broken("NATS", err))
	}
	if err := stream.DirFree(c.Embedded.Dir); err != nil {
		return append(found, broken("NATS", err))
	}
	return append(found, writable("NATS", "nats.embedded.dir", c.Embedded.Dir))
}
