package poller

import (
	"context"
	"maps"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"jobwatch/internal/commvault"
	"jobwatch/internal/job"
	"jobwatch/internal/store"
)

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
		p.report(ctx, m.trackedJob, m.err)
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
	p.feed.log.add(id.Number, said)
	if p.claimed(id) {
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

// claimed says whether a goroutine is polling the job now.
func (p *Poller) claimed(id job.ID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.cached[id.Number]
	return s != nil && s.claimed
}

// jobSet is a set of jobs that is emptied when it is full. The zero jobSet is ready.
type jobSet struct {
	mu   sync.Mutex
	jobs map[int64]struct{} // guarded by mu
}

const maxJobSet = 10_000

func (b *jobSet) add(number int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.jobs == nil || len(b.jobs) >= maxJobSet {
		b.jobs = map[int64]struct{}{}
	}
	b.jobs[number] = struct{}{}
}

func (b *jobSet) has(number int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, has := b.jobs[number]
	return has
}
