package poller

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"jobwatch/internal/commvault"
	"jobwatch/internal/job"
	"jobwatch/internal/store"
)

// Sweep says which of the tracked jobs a cycle polls.
type Sweep string

// The sweeps, as the configuration spells them.
const (
	SweepDetails Sweep = "details" // all of them; also ""
	SweepList    Sweep = "list"    // those whose line in the Job list has changed, and each one every FullRefresh
	SweepAuto    Sweep = "auto"    // list from autoFrom jobs up
)

const (
	autoFrom             = 50
	defaultFullRefresh   = 10 * time.Minute
	failedListsTolerated = 3 // lists that fail in a row, until each job is asked for instead
)

func (p *Poller) sweepsByList(tracked int) bool { return SweepsByList(p.Sweep, tracked) }

// SweepsByList says whether a cycle asks only for the jobs whose line has changed, where so many are tracked.
func SweepsByList(s Sweep, tracked int) bool {
	return s == SweepList || s == SweepAuto && tracked >= autoFrom
}

// sweep reads the list and polls the jobs.
func (p *Poller) sweep(ctx context.Context, c *cycle) error {
	listed, err := p.readList(ctx, c)
	if err != nil {
		return err
	}
	tracked, err := p.jobsToPoll()
	if err != nil {
		return err
	}
	p.tracked = len(tracked)
	p.forgetUntracked(tracked)
	polls := tracked
	if p.sweepsByList(len(tracked)) && !p.listFails() {
		polls = p.worthPolling(tracked, listed)
	}
	err = p.pollAll(ctx, c, polls)
	if err == nil && ctx.Err() == nil {
		err = p.countMisses(ctx, c)
	}
	p.countClasses(tracked, !c.hopeless())
	return err
}

// readList reads the Job list if anything is made of it: the jobs to discover, and the lines that say which jobs have
// changed. It says whether it was read to its end.
func (p *Poller) readList(ctx context.Context, c *cycle) (whole bool, err error) {
	p.lines = 0
	if !p.Discover {
		if err := p.dropHighWaterMark(); err != nil || !p.sweepsByList(p.tracked) {
			return false, err
		}
	}
	p.beginList()
	c.list = p.round
	err = p.discover(ctx)
	var broken *storeError
	if errors.As(err, &broken) {
		return false, err
	}
	p.report(ctx, trackedJob{id: p.id}, err)
	if ctx.Err() == nil {
		p.countListFailure(err)
	}
	return err == nil, p.note(c, err)
}

// countListFailure counts the lists that fail in a row. One that is refused, or whose server is too old, is none to wait for.
func (p *Poller) countListFailure(err error) {
	before := p.listFails()
	switch {
	case err == nil:
		p.failedLists = 0
	case commvault.SourceDown(err):
		p.failedLists++
	default:
		p.failedLists = failedListsTolerated
	}
	if p.listFails() && !before && p.sweepsByList(p.tracked) {
		p.logSparingly(slog.LevelWarn, "the Job list cannot be read: each tracked job is asked for instead", causeOf(err), 1, "commcell", p.CommCell, "err", err)
	}
}

func (p *Poller) listFails() bool { return p.failedLists >= failedListsTolerated }

// worthALook gives the jobs whose details may hold news, and always one: whether a CommCell answers is not for its
// list alone to say.
func (p *Poller) worthPolling(tracked []store.Tracked, listed bool) []store.Tracked {
	now := time.Now()
	every := p.FullRefresh - p.Schedule.Next(now).Sub(now) // or some would be late by a cycle
	var polls []store.Tracked
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, j := range tracked {
		s := p.cached[j.Number]
		if s == nil || !s.claimed && (j.Why == store.FinalPoll || s.newsFor(p.round, listed) || refreshDue(j.Number, s.asked, now, every)) ||
			p.Store.RefreshPending(job.ID{CommCell: p.CommCell, Number: j.Number}) {
			polls = append(polls, j)
		}
	}
	if len(polls) == 0 && len(tracked) > 0 && !listed {
		p.probed++
		polls = append(polls, tracked[p.probed%len(tracked)])
	}
	return polls
}

// newsFor says whether there is something to ask of a job that nobody polls right now.
func (s *cachedJob) newsFor(round uint32, listed bool) bool {
	unlisted := listed && !s.line.namesState(round)
	switch {
	case s.asked.IsZero(), s.line.changed > 0, s.misses > 0, s.older > 0:
		return true
	case unlisted: // lost, of a kind that no list names, or named without a status
		return !finishedClasses[s.class.Load()]
	}
	return false
}

// refreshDue says whether the time has come to poll a job whatever its line says. Each has its own time in the
// interval, so that they come evenly, also when all were last polled together.
func refreshDue(number int64, asked, now time.Time, every time.Duration) bool {
	if every <= 0 {
		return true
	}
	const golden = 0x9e3779b97f4a7c15
	own := int64(uint64(number) * golden % uint64(every))
	return (asked.UnixNano()+own)/int64(every) != (now.UnixNano()+own)/int64(every)
}
