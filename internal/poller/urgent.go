package poller

import (
	"context"
	"log/slog"

	"jobwatch/internal/job"
)

const urgentJobs = 64 // that wait to be looked at; what comes beyond them is left to the next tick

// LookNow has a tracked job looked at at once, not at the next tick. It does not wait for the answer.
func (p *Poller) LookNow(id job.ID) {
	select {
	case p.urgent <- id:
	default:
	}
}

func (p *Poller) lookWhenTold(ctx context.Context) error {
	for {
		select {
		case id := <-p.urgent:
			if err := p.lookOutOfTurn(ctx, id); err != nil && ctx.Err() == nil {
				p.say(slog.LevelError, "look cut short", causeOf(err), 1, "job", id.String(), "err", err)
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// lookOutOfTurn looks at a job unless it has been untracked meanwhile.
func (p *Poller) lookOutOfTurn(ctx context.Context, id job.ID) error {
	if p.Identify != nil && !p.identified.Load() {
		return nil // the next tick finds out whom it would ask
	}
	why, err := p.Store.WhyTracked(id)
	if err != nil || why == "" {
		return err
	}
	t := outOfTurn(1)
	err = p.lookAt(ctx, t, trackedJob{id: id, why: why})
	for _, m := range t.missing {
		p.report(ctx, m.trackedJob, m.err)
	}
	return err
}
