package poller

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"jobwatch/internal/commvault"
	"jobwatch/internal/job"
	"jobwatch/internal/limiter"
	"jobwatch/internal/store"
)

// Feed is what tells which jobs have just changed: a commvault.Client.
type Feed interface {
	// Feed gives the CommServe's own events that are new since a mark, and the mark to go on from.
	Feed(ctx context.Context, since commvault.FeedMark) ([]commvault.FeedEntry, commvault.FeedMark, error)
	// Summary asks for one job's line of the Job list.
	Summary(ctx context.Context, number int64) (commvault.Line, error)
}

// feed is how far the CommServe's own events have been read, and what came of it. It is a nudge: what an entry
// says is never believed, only that the job which it names is worth a poll. It belongs to the goroutine that runs
// followFeed, but for what has a lock.
type feed struct {
	tried   bool
	mark    commvault.FeedMark
	doubts  int       // answers in a row that were none
	refusal string    // as last logged; "": there is none
	again   time.Time // no sooner, after a refusal

	named   namedJobs // has a lock
	leftOut jobSet    // jobs that are not to be tracked; has a lock
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

const maxNamed = 4000 // that wait for a poll; what the feed names beyond them is left to the next cycle

// namedJobs are the jobs that the feed has named and that were not polled since, and what it said of them. The
// zero namedJobs is ready.
type namedJobs struct {
	mu   sync.Mutex
	jobs map[int64][]job.FeedEntry // guarded by mu
}

func (n *namedJobs) add(number int64, said ...job.FeedEntry) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.jobs == nil {
		n.jobs = map[int64][]job.FeedEntry{}
	}
	before, known := n.jobs[number]
	if known || len(n.jobs) < maxNamed {
		n.jobs[number] = newest(append(before, said...))
	}
}

func (n *namedJobs) take() map[int64][]job.FeedEntry {
	n.mu.Lock()
	defer n.mu.Unlock()
	jobs := n.jobs
	n.jobs = nil
	return jobs
}

func newest(entries []job.FeedEntry) []job.FeedEntry {
	return slices.Clone(entries[max(0, len(entries)-job.FeedLimit):])
}

// pollNamed polls once each job that the feed has named, however often it did.
func (p *Poller) pollNamed(ctx context.Context) error {
	jobs := p.feed.named.take()
	c := unscheduled(p.Concurrency)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(p.Concurrency)
	for _, number := range slices.Sorted(maps.Keys(jobs)) {
		group.Go(func() error {
			if ctx.Err() != nil || c.hopeless() {
				return nil
			}
			return p.pollNamedJob(ctx, c, job.ID{CommCell: p.CommCell, Number: number}, jobs[number])
		})
	}
	err := group.Wait()
	for _, m := range c.missing {
		p.report(ctx, m.id, m.err)
	}
	return err
}

func (p *Poller) pollNamedJob(ctx context.Context, c *cycle, id job.ID, said []job.FeedEntry) error {
	why, err := p.Store.WhyTracked(id)
	if err == nil && why == "" {
		why, err = p.discoverNamed(ctx, c, id, said)
	}
	if err != nil || why == "" {
		return err
	}
	p.cache.log.add(id.Number, said)
	if p.cache.claimed(id.Number) {
		p.feed.named.add(id.Number) // that poll may have been sent before the change
		return nil
	}
	if why == store.FinalPoll {
		why = store.Discovered // one poll more: the final one is still to come
	}
	return p.pollJob(ctx, c, trackedJob{id: id, why: why})
}

// discoverNamed tracks a job as the Job list would have it tracked in the next cycle. A machine's own job, which no
// list names, is its parent's affair.
func (p *Poller) discoverNamed(ctx context.Context, c *cycle, id job.ID, said []job.FeedEntry) (store.Why, error) {
	if !p.Discover || p.feed.leftOut.has(id.Number) {
		return "", nil
	}
	line, err := p.summary(ctx, id.Number)
	if err != nil {
		c.note(err)
		return "", nil // the next list names it
	}
	if line.Parent != nil || p.Filter.LeftOutBy(&line) != "" {
		p.feed.leftOut.add(id.Number)
		return "", nil
	}
	if p.longOver(&line, said) {
		return "", nil
	}
	if err := p.track([]commvault.Line{line}); err != nil {
		return "", err
	}
	return p.Store.WhyTracked(id)
}

// longOver says whether a job ended so long before it was named that no list would name it: aged, say. Both times
// are the CommServe's; a finished job is updated no more, and older releases tell no end.
func (p *Poller) longOver(line *commvault.Line, said []job.FeedEntry) bool {
	end := line.EndTime
	if end == nil && job.LookUp(line.Status, false).Finished {
		end = line.UpdateTime
	}
	return end != nil && len(said) > 0 && said[len(said)-1].Time.Sub(*end) > p.FinishedWithin
}

func (p *Poller) summary(ctx context.Context, number int64) (line commvault.Line, err error) {
	err = p.request(ctx, func() error {
		line, err = p.Feed.Summary(ctx, number)
		return err
	})
	return line, err
}

// jobSet is a set of jobs that is emptied when it is full. The zero jobSet is ready.
type jobSet struct {
	mu   sync.Mutex
	jobs map[int64]struct{} // guarded by mu
}

const maxJobSet = 10_000

func (s *jobSet) add(number int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.jobs == nil || len(s.jobs) >= maxJobSet {
		s.jobs = map[int64]struct{}{}
	}
	s.jobs[number] = struct{}{}
}

func (s *jobSet) has(number int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, has := s.jobs[number]
	return has
}
