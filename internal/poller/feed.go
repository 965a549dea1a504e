package poller

import (
	"context"
	"log/slog"
	"time"

	"jobwatch/internal/commvault"
	"jobwatch/internal/limiter"
)

// Feed is what tells which jobs have just changed: a commvault.Client.
type Feed interface {
	// Feed gives the CommServe's own events that are new since a mark, and the mark to go on from.
	Feed(ctx context.Context, since commvault.FeedMark) ([]commvault.FeedEntry, commvault.FeedMark, error)
	// Summary asks for one job's line of the Job list.
	Summary(ctx context.Context, number int64) (commvault.Line, error)
}

// feed is how far the CommServe's own events have been read, and what came of it. It is a nudge: what an entry
// says is never believed, only that the job which it names is worth a poll.
type feed struct {
	tried   bool
	mark    commvault.FeedMark
	doubts  int       // answers in a row that were none
	refusal string    // as last logged; "": there is none
	again   time.Time // no sooner, after a refusal

	named   namedJobs
	leftOut jobSet // jobs that are not to be followed
	log     feedLog
}

const (
	feedSoon   = time.Second      // until the first request: what changes before it is left to the cycles
	feedRetry  = 10 * time.Minute // after a refusal: rights are granted, and releases brought up to date
	feedDoubts = 3                // answers in a row that were none, and a refusal is not an accident
)

// followFeed reads the feed until ctx ends, and polls the jobs that it names.
func (p *Poller) followFeed(ctx context.Context) error {
	if p.FeedEvery <= 0 || p.Feed == nil {
		return nil
	}
	for {
		wait := p.FeedEvery
		if !p.feed.tried {
			wait = min(wait, feedSoon)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil
		}
		if err := p.readFeed(ctx); err != nil && ctx.Err() == nil {
			p.logSparingly(slog.LevelError, "polls that the feed asked for were cut short", causeOf(err), 1, "commcell", p.CommCell, "err", err)
		}
	}
}

// readFeed is one request, and the polls that follow from it. Its error is one of the store's.
func (p *Poller) readFeed(ctx context.Context) error {
	if due, err := p.feedIsDue(); !due {
		return err
	}
	entries, err := p.askFeed(ctx)
	if ctx.Err() != nil {
		return nil
	}
	p.judgeFeed(err)
	for i := range entries {
		if entries[i].OfJobManager() {
			p.feed.named.add(entries[i].Job, entries[i].FeedEntry)
		}
	}
	return p.pollNamed(ctx)
}

// feedIsDue leaves alone a CommServe that refused, that does not answer, or that may be another than the one wanted.
func (p *Poller) feedIsDue() (bool, error) {
	if time.Now().Before(p.feed.again) || p.Identify != nil && !p.identified.Load() {
		return false, nil
	}
	known, err := p.Store.Recall(p.id)
	return err == nil && !known.Told.Unreachable, err
}

func (p *Poller) askFeed(ctx context.Context) (entries []commvault.FeedEntry, err error) {
	p.feed.tried = true
	permit, err := p.limiter.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	entries, p.feed.mark, err = p.Feed.Feed(ctx, p.feed.mark)
	if err != nil { // a feed that fails alone is not to slow the rest down; what it says of hold and quota is for all
		o := outcomeOf(err)
		o.Result = limiter.Unused
		permit.Release(o)
		return entries, err
	}
	p.returnPermit(permit, false, nil)
	return entries, nil
}

// judgeFeed says once that the feed is refused, and once that it can be read again. What passes, or befalls all
// requests alike, is for the cycles to tell.
func (p *Poller) judgeFeed(err error) {
	f := &p.feed
	if err == nil {
		if f.refusal != "" {
			p.Log.Info("the CommServe's own events can be read again", "commcell", p.CommCell)
		}
		f.doubts, f.refusal = 0, ""
		return
	}
	refused, doubtful := commvault.FeedRefused(err)
	if doubtful {
		f.doubts++
	}
	if !refused && (!doubtful || f.doubts < feedDoubts) {
		return
	}
	f.again = time.Now().Add(feedRetry)
	if words := err.Error(); words != f.refusal {
		f.refusal = words
		p.Log.Warn("the CommServe's own events cannot be read: changes are seen in the next cycle only; give the user the right to see them, or set feed_every: 0",
			"commcell", p.CommCell, "err", err)
	}
}
