package daemon

import (
	"context"
	"time"

	"jobwatch/internal/job"
	"jobwatch/internal/store"
)

// successesEvery is how often the store is looked through for what no poll of this process saw: ends of before the start,
// and those that another member of the cluster has told.
const successesEvery = 10 * time.Minute

// noteSuccesses tells the metrics of good backups that the store knows, where somebody has asked for them.
func (p *parts) noteSuccesses(ctx context.Context) error {
	if !p.metrics.WantsSuccess() {
		return nil
	}
	for {
		err := p.store.Walk(func(e store.Entry) error {
			if e.Terminal && e.Class == job.Succeeded {
				if l, err := e.Listed(); err == nil { // else store verify says so
					p.metrics.Succeeded(e.ID.CommCell, &l.Snapshot)
				}
			}
			return ctx.Err()
		})
		if err != nil && ctx.Err() == nil {
			p.Log.Warn("the last good backups cannot be read; jobwatch_last_success_timestamp_seconds may be behind", "err", err)
		}
		select {
		case <-time.After(successesEvery):
		case <-ctx.Done():
			return nil
		}
	}
}
