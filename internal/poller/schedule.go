package poller

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"jobwatch/internal/job"
)

const (
	mostSkipped = 1000        // ticks that are counted at once: beyond them lies a clock that was set, or a machine that slept
	clockEvery  = time.Minute // how often the wait for a tick checks whether the clock was set
)

// cycleOnSchedule runs a cycle at each tick; a tick that falls due during a cycle is skipped and counted.
func (p *Poller) cycleOnSchedule(ctx context.Context) error {
	for {
		due := p.Schedule.Next(time.Now())
		if err := p.Cycle(ctx); err != nil && ctx.Err() == nil {
			p.logSparingly(slog.LevelError, "cycle cut short", causeOf(err), 1, "commcell", p.CommCell, "err", err)
		}
		due = p.skipMissed(due)
		p.Counts.due(due)
		if due.IsZero() {
			return fmt.Errorf("commcell %s: the schedule never comes again", p.CommCell)
		}
		if p.waitForTick(ctx, due) != nil {
			return nil
		}
	}
}

// skipMissed gives the next due time that is still to come, and counts those before it. Where more were missed than
// anybody would count, the schedule goes on from now.
func (p *Poller) skipMissed(due time.Time) time.Time {
	skipped := 0
	for ; !due.IsZero() && due.Before(time.Now()); due = p.Schedule.Next(due) {
		if skipped == mostSkipped {
			due = p.Schedule.Next(time.Now())
			break
		}
		p.Counts.tickSkipped()
		skipped++
	}
	const words = "a cycle took longer than the schedule allows, or the clock was set forward; what fell due meanwhile is skipped"
	if skipped == 0 {
		return due
	}
	if count := p.repeats.news(words, skipped, 1); count > 0 {
		p.Log.Warn(words, "commcell", p.CommCell, "count", count, "took", p.Counts.Totals().Took.Round(time.Millisecond).String())
	}
	return due
}

// waitForTick waits in steps, for a clock may be set meanwhile: set forward, it makes the tick due; set back, another
// tick comes before it. Its error is ctx's.
func (p *Poller) waitForTick(ctx context.Context, due time.Time) error {
	for {
		now := time.Now()
		if next := p.Schedule.Next(now); next.Before(due) && !next.IsZero() {
			due = next
			p.Counts.due(due)
		}
		if !now.Before(due) {
			return nil
		}
		if err := sleepUntil(ctx, now.Add(min(due.Sub(now), clockEvery))); err != nil {
			return err
		}
	}
}

// sleepUntil sleeps, or leaves with ctx's error.
func sleepUntil(ctx context.Context, at time.Time) error {
	select {
	case <-time.After(time.Until(at)):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

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
		p.report(ctx, m.id, m.err)
	}
	return err
}
