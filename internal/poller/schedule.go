package poller

import (
	"context"
	"fmt"
	"time"
)

const (
	mostSkipped = 1000        // ticks that are counted at once: beyond them lies a clock that was set, or a machine that slept
	clockEvery  = time.Minute // so often who waits for a tick looks whether the clock was set
)

// tickOnSchedule skips and counts a tick that falls due during a tick.
func (p *Poller) tickOnSchedule(ctx context.Context) error {
	for {
		due := p.Schedule.Next(time.Now())
		if err := p.Poll(ctx); err != nil && ctx.Err() == nil {
			p.Log.Error("tick cut short", "commcell", p.CommCell, "err", err)
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

// skipMissed gives the next due time that is still to come. It says once that ticks are skipped, and again when
// they are after a tick in time. Where more were missed than anybody would count, the schedule goes on from now.
func (p *Poller) skipMissed(due time.Time) time.Time {
	skipped := 0
	for ; !due.IsZero() && due.Before(time.Now()); due = p.Schedule.Next(due) {
		if skipped == mostSkipped {
			due = p.Schedule.Next(time.Now())
			break
		}
		p.Counts.skippedTick()
		skipped++
	}
	if skipped > 0 && !p.late {
		p.Log.Warn("a tick took longer than the schedule allows, or the clock was set forward; what fell due meanwhile is skipped",
			"commcell", p.CommCell, "count", skipped, "took", p.Counts.Totals().Took.Round(time.Millisecond).String())
	}
	p.late = skipped > 0
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
