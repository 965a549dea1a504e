package poller

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"jobwatch/internal/commvault"
	"jobwatch/internal/store"
)

const (
	owedSoon  = 2 * time.Second  // before a CommServe that did not answer is asked again, doubled each time
	owedLate  = time.Minute      // at the most
	missPause = 30 * time.Second // at least, after an answer that did not know a job: three in a row count

	standByEvery = 5 * time.Minute // finished jobs are seen to
)

// RunOwed is Run for a CommCell that another watcher polls. It asks for nothing but the jobs whose unsent events wait for
// a poll (store.Held): nobody else can send those, or say that they are told. It says nothing of whether the CommCell
// answers, nor that a job is lost, and forgets the finished jobs that it hears of. Run and RunOwed may follow each other,
// and never run at once.
func (p *Poller) RunOwed(ctx context.Context) error {
	p.startAnew()
	tidy := time.NewTicker(standByEvery)
	defer tidy.Stop()
	for wait := owedSoon; ; {
		changed := p.Store.HeldChanged()
		left, missed, err := p.pollOwed(ctx)
		if err != nil && ctx.Err() == nil {
			p.logSparingly(slog.LevelError, "polls that unsent events wait for were cut short", causeOf(err), 1, "commcell", p.CommCell, "err", err)
		}
		var again <-chan time.Time
		if left || err != nil { // what comes meanwhile waits, too: the CommServe is to be left alone
			if missed {
				wait = max(wait, missPause)
			}
			changed, again = nil, time.After(wait)
			wait = min(2*wait, owedLate)
		} else {
			wait = owedSoon
		}
		select {
		case <-changed:
		case <-again:
		case <-tidy.C:
			if err := p.tidyStandingBy(); err != nil {
				p.logSparingly(slog.LevelError, "finished jobs could not be forgotten", causeOf(err), 1, "commcell", p.CommCell, "err", err)
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// startAnew forgets what this process remembers of the CommCell: while another polls it, that becomes old. The store is
// gone on from, as at a start.
func (p *Poller) startAnew() {
	p.cache.mu.Lock()
	defer p.cache.mu.Unlock()
	p.cache.init(p.Jobs)
	p.cycleState = cycleState{}
	p.identified.Store(false)
	p.feed.tried, p.feed.mark = false, commvault.FeedMark{}
	p.feed.named.take()
}

// pollOwed polls the jobs whose unsent events wait for it. left says that some still do, missed that the CommServe did not
// know one. Its error is one of the store's.
func (p *Poller) pollOwed(ctx context.Context) (left, missed bool, err error) {
	owed, err := p.Store.Held(p.CommCell)
	if err == nil && len(owed) > 0 && owed[0].IsCommCell() {
		owed, err = owed[1:], p.dropReachability()
	}
	if err != nil || len(owed) == 0 {
		return false, false, err
	}
	c := unscheduled(p.Limit())
	if same, err := p.identify(ctx, c); err != nil || !same {
		return true, false, err
	}
	group, polling := errgroup.WithContext(ctx)
	group.SetLimit(p.Concurrency)
	for _, id := range owed {
		group.Go(func() error {
			if polling.Err() != nil || c.hopeless() {
				return nil
			}
			why, err := p.Store.WhyTracked(id)
			if err != nil {
				return err
			}
			return p.pollJob(polling, c, trackedJob{id: id, why: why, owed: true})
		})
	}
	if err := group.Wait(); err != nil || ctx.Err() != nil {
		return true, false, err
	}
	if c.answers == 0 {
		p.identified.Store(false) // the server that answers next may be another
	}
	for _, m := range c.missing {
		p.report(ctx, m.id, m.err)
		if err := p.countMiss(m, true); err != nil {
			return true, true, err
		}
	}
	owed, err = p.Store.Held(p.CommCell)
	return len(owed) > 0, len(c.missing) > 0, err
}

// dropReachability settles what is held of the CommCell itself, of which another watcher has told: whether it answers is
// for that one to say, so nothing of ours is told, and what the stream says stands.
func (p *Poller) dropReachability() error {
	for {
		known, err := p.Store.Recall(p.id)
		if err != nil || !known.RefreshPending {
			return err
		}
		err = p.Store.CommitCommCell(p.id, known, nil, time.Now(), "")
		if !errors.Is(err, store.ErrChanged) {
			return err
		}
	}
}

// heardLongAgo is after what time the final poll of a job is given up whose end another watcher has told: where both were
// down meanwhile it may not have been made; but who begins to poll a CommCell need not ask for all that has ever ended.
const heardLongAgo = time.Hour

func (p *Poller) endFinalPolls() {
	if err := p.Store.EndFinalPolls(p.CommCell, time.Now().Add(-heardLongAgo), true); err != nil { // it is polled for nothing
		p.logSparingly(slog.LevelWarn, "jobs that have ended long ago are asked for once more", causeOf(err), 1, "commcell", p.CommCell, "err", err)
	}
}

// tidyStandingBy sees to the finished jobs of a CommCell that another watcher polls: it has made the final polls that were
// due, and what is kept long enough is forgotten. How far back its Job list was read is not known here. A job that is
// forgotten, and named again to whoever polls next, is looked at once; the stream still tells of it, and nothing is told
// twice.
func (p *Poller) tidyStandingBy() error {
	now := time.Now()
	if err := p.Store.EndFinalPolls(p.CommCell, now.Add(-store.ClosingIn), false); err != nil {
		return err
	}
	if !p.forgetIsDue(now) {
		return nil
	}
	p.cycleState.forgot = now
	_, err := p.Store.Forget(p.CommCell, now.Add(-p.KeepFinished))
	return err
}
