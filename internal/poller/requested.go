package poller

import (
	"context"
	"log/slog"

	"jobwatch/internal/job"
)

const maxRequested = 64 // that wait to be polled; what comes beyond them is left to the next cycle

// PollNow asks for a tracked job to be polled at once, not in the next cycle. It does not wait for the answer.
func (p *Poller) PollNow(id job.ID) {
	select {
	case p.requested <- id:
	default:
	}
}

func (p *Poller) pollOnRequest(ctx context.Context) error {
	for {
		select {
		case id := <-p.requested:
			if err := p.pollUnscheduled(ctx, id); err != nil && ctx.Err() == nil {
				p.logSparingly(slog.LevelError, "poll cut short", causeOf(err), 1, "job", id.String(), "err", err)
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// pollUnscheduled polls a job unless it has been untracked meanwhile.
func (p *Poller) pollUnscheduled(ctx context.Context, id job.ID) error {
	if p.Identify != nil && !p.identified.Load() {
		return nil // the next cycle finds out whom it would ask
	}
	why, err := p.Store.WhyTracked(id)
	if err != nil || why == "" {
		return err
	}
	c := unscheduled(1)
	err = p.pollJob(ctx, c, trackedJob{id: id, why: why})
	for _, m := range c.missing {
		p.report(ctx, m.trackedJob, m.err)
	}
	return err
}
