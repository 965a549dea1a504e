package doctor

import (
	"fmt"
	"strings"
	"time"

	"jobwatch/internal/config"
	"jobwatch/internal/daemon"
)

// need is what a configuration asks at least in some time, while nothing changes.
type need struct {
	ticks, pages, details, feed int
}

func (n need) requests() int { return n.ticks*n.pages + n.details + n.feed }

// needOf counts for so many unfinished jobs, and a Job list of so many pages.
func needOf(cell config.CommCell, next func(time.Time) time.Time, unfinished, pages int, long time.Duration) need {
	n := need{ticks: ticksWithin(next, long)}
	byList := daemon.SweepsByList(cell, unfinished)
	if cell.Discover.Enabled || byList {
		n.pages = max(pages, 1)
	}
	n.details = unfinished * n.ticks
	if byList && cell.FullRefresh > 0 {
		n.details = min(n.details, unfinished*int(long/cell.FullRefresh))
	}
	if cell.FeedEvery > 0 {
		n.feed = int(long / cell.FeedEvery)
	}
	return n
}

func ticksWithin(next func(time.Time) time.Time, long time.Duration) int {
	ticks, now := 0, time.Now()
	for due := next(now); !due.IsZero() && due.Sub(now) <= long; due = next(due) {
		ticks++
	}
	return ticks
}

// quota warns where a limit that the CommServe has named to any request of the check must be exceeded.
func (p *commCellProbe) quota() {
	schedule, err := config.ParseSchedule(p.cell.Schedule)
	if p.client == nil || err != nil {
		return // which is said elsewhere
	}
	quota := p.client.Quota()
	n := needOf(p.cell, schedule.Next, p.unfinished, p.pages, quota.Period)
	switch allowed := float64(quota.Limit); {
	case quota.Limit == 0:
	case n.requests() <= int(quota.Limit):
		p.ok("quota", "%d requests are allowed in %v; the configuration needs %d of them while nothing changes", quota.Limit, quota.Period, n.requests())
	case p.cell.RateLimit > 0 && p.cell.RateLimit*quota.Period.Seconds() <= allowed:
		p.warn("quota", "%s; rate_limit keeps to it, so that ticks are late", n.exceeds(quota.Limit, quota.Period))
	default:
		p.warn("quota", "%s; make them rarer (schedule, full_refresh, feed_every), or the CommServe refuses the rest of each period", n.exceeds(quota.Limit, quota.Period))
	}
}

func (n need) exceeds(limit int64, period time.Duration) string {
	var parts []string
	for _, part := range []struct {
		n    int
		what string
	}{{n.ticks * n.pages, "for the Job list"}, {n.details, "for details"}, {n.feed, "for the feed"}} {
		if part.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", part.n, part.what))
		}
	}
	return fmt.Sprintf("%d requests are allowed in %v, and the configuration needs %d while nothing changes (%s)", limit, period, n.requests(), strings.Join(parts, ", "))
}
