package cli

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"jobwatch/internal/audit"
	"jobwatch/internal/config"
	"jobwatch/internal/daemon"
	"jobwatch/internal/relay"
	"jobwatch/internal/stream"
)

// compareAudit asks the stream which of the events that the relay takes the log lacks.
func compareAudit(ctx context.Context, cfg *config.Config, dir string) (*audit.Comparison, error) {
	r, err := auditRelay(cfg, dir)
	if err != nil {
		return nil, err
	}
	var inStream []audit.InStream
	err = daemon.AtStream(ctx, cfg, "audit verify", func(ctx context.Context, b *stream.Broker) error {
		return relay.EachTaken(ctx, b, daemon.RelayConfig(r, cfg.NATS), 1, func(e *relay.Event) error {
			inStream = append(inStream, audit.InStream{Seq: e.Sequence, ID: e.ID, Subject: e.Subject})
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("the stream was not asked: %w", err)
	}
	for tries := 0; ; tries++ {
		c, err := audit.Compare(ctx, dir, slices.Values(inStream))
		underWay := err == nil && c.Missing > 0 && c.Missing == c.Behind && audit.BeingWritten(dir)
		if !underWay || tries == 10 {
			return &c, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

// auditRelay is the relay that writes the folder.
func auditRelay(cfg *config.Config, dir string) (config.Relay, error) {
	whole, err := filepath.Abs(dir)
	if err != nil {
		return config.Relay{}, err
	}
	for _, r := range cfg.Relays {
		if r.Audit == nil {
			continue
		}
		if its, err := filepath.Abs(r.Audit.Dir); err == nil && its == whole {
			return r, nil
		}
	}
	return config.Relay{}, fmt.Errorf("no relay of the configuration has %s as its audit.dir", dir)
}
