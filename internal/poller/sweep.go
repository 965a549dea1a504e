package poller

import (
	"context"
	"errors"
	"hash/maphash"
	"log/slog"
	"strings"
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
	p.cycleState.tracked = len(tracked)
	p.cache.forgetUntracked(tracked)
	polls := tracked
	if p.sweepsByList(len(tracked)) && !p.listFails() {
		polls = p.worthPolling(tracked, listed)
	}
	p.Counts.count(func(t *Totals) { t.Polls = len(polls) })
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
	p.cycleState.lines = 0
	if !p.Discover {
		if err := p.dropHighWaterMark(); err != nil || !p.sweepsByList(p.cycleState.tracked) {
			return false, err
		}
	}
	c.list = p.cache.beginList()
	err = p.discover(ctx)
	var broken *storeError
	if errors.As(err, &broken) {
		return false, err
	}
	p.report(ctx, p.id, err)
	if ctx.Err() == nil {
		p.countListFailure(err)
	}
	return err == nil, p.noteOutcome(c, err)
}

// countListFailure counts the lists that fail in a row. One that is refused, or whose server is too old, will not be
// read the next time either.
func (p *Poller) countListFailure(err error) {
	before := p.listFails()
	switch {
	case err == nil:
		p.cycleState.failedLists = 0
	case commvault.SourceDown(err):
		p.cycleState.failedLists++
	default:
		p.cycleState.failedLists = failedListsTolerated
	}
	if p.listFails() && !before && p.sweepsByList(p.cycleState.tracked) {
		p.logSparingly(slog.LevelWarn, "the Job list cannot be read: each tracked job is asked for instead", causeOf(err), 1, "commcell", p.CommCell, "err", err)
	}
}

func (p *Poller) listFails() bool { return p.cycleState.failedLists >= failedListsTolerated }

// worthPolling gives the jobs whose details may hold news; the others are skipped. Where the list was not read it gives
// one at least: whether a CommCell answers is not for its list alone to say.
func (p *Poller) worthPolling(tracked []store.Tracked, listed bool) []store.Tracked {
	now := time.Now()
	every := p.FullRefresh - p.Schedule.Next(now).Sub(now) // or some would be late by a cycle
	var polls []store.Tracked
	p.cache.mu.Lock()
	defer p.cache.mu.Unlock()
	for _, j := range tracked {
		s := p.cache.jobs[j.Number]
		if s == nil || !s.claimed && (j.Why == store.FinalPoll || s.newsFor(p.cache.lists, listed) || refreshDue(j.Number, p.lastAsked(s), now, every)) ||
			p.Store.RefreshPending(job.ID{CommCell: p.CommCell, Number: j.Number}) {
			polls = append(polls, j)
		}
	}
	if len(polls) == 0 && len(tracked) > 0 && !listed {
		p.cycleState.probed++
		polls = append(polls, tracked[p.cycleState.probed%len(tracked)])
	}
	return polls
}

// lastAsked is since when a job has not been asked for, by this process or the one whose work it has resumed.
func (p *Poller) lastAsked(s *cachedJob) time.Time {
	if s.asked.IsZero() {
		return p.cycleState.resumed.since
	}
	return s.asked
}

// newsFor says whether there is something to ask of a job that nobody polls right now.
func (s *cachedJob) newsFor(list uint32, listed bool) bool {
	unlisted := listed && !s.line.namesState(list)
	switch {
	case s.asked.IsZero() && !s.resumed, s.line.changed > 0, s.misses > 0, s.older > 0:
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

// cachedLine is what was last read of a job in the Job list, for a list sweep to see whether that changes. It is
// guarded by the jobCache's mu.
type cachedLine struct {
	sum     uint64 // of what an event may be about; 0: never listed
	list    uint32 // the list that last named the job
	changed uint16 // how often it changed since the poll that settled it; 0: settled
	status  uint16 // marks of the words, to see whether details agree with them
	phase   uint16 // 0: it says none
	polls   uint8  // in a row whose answers did not agree with the line
}

var lineSeed = maphash.MakeSeed()

// lineSum sums up a line but for what is different at each reading: percent, update time, sizes. Its numbers
// are no part of a reason, as in an event's.
func lineSum(l *commvault.Line) uint64 {
	return max(1, maphash.Comparable(lineSeed, struct {
		status, phase, reason, code job.Text
		files, folders              int64
		started, ended              int64
	}{
		l.Status, l.Phase, l.Reason.WithoutNumbers(), l.ReasonCode,
		orNone(l.FailedFiles), orNone(l.FailedFolders), unixOrNone(l.StartTime), unixOrNone(l.EndTime),
	}))
}

func orNone(n *int64) int64 {
	if n == nil {
		return -1
	}
	return *n
}

func unixOrNone(t *time.Time) int64 {
	if t == nil {
		return -1
	}
	return t.Unix()
}

// wordMark is a mark of words as they are compared: without case and outer spaces. 0 is no words.
func wordMark(words job.Text) uint16 {
	text := strings.ToLower(strings.TrimSpace(string(words)))
	if text == "" {
		return 0
	}
	return max(1, uint16(maphash.String(lineSeed, text)))
}

// namesState says whether the list names the job and its state. A line without one says nothing of what may have changed.
func (s *cachedLine) namesState(list uint32) bool { return s.list == list && s.status != 0 }

func (s *cachedLine) read(l *commvault.Line, list uint32) (changed bool) {
	s.list = list
	sum := lineSum(l)
	if sum == s.sum {
		return false
	}
	s.sum, s.polls = sum, 0
	s.status, s.phase = wordMark(l.Status), wordMark(l.Phase)
	s.change()
	return true
}

func (s *cachedLine) change() { s.changed++ }

const pollsToAgree = 3 // after so many, the list has its own words for what the details say

// settle takes note of an answer that was asked for when the line had changed so often. One that does not say what
// the line does is older than the line, whatever holds it back: another poll has to follow.
func (s *cachedLine) settle(changed uint16, seen *job.Snapshot) {
	if s.changed == 0 || s.changed != changed {
		return
	}
	agrees := s.status == wordMark(seen.State) && (s.phase == 0 || seen.Terminal || s.phase == wordMark(seen.Phase))
	if s.polls++; agrees || s.polls >= pollsToAgree {
		s.changed, s.polls = 0, 0
	}
}

// readLines takes note of a page of the list.
func (c *jobCache) readLines(lines []commvault.Line) {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range lines {
		if s := c.jobs[lines[i].Number]; s != nil {
			if s.line.read(&lines[i], c.lists) {
				c.noteListedEnd(&lines[i])
			}
			s.showLine(lines[i].Percent, now)
		}
	}
}

func (c *jobCache) beginList() uint32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lists++
	return c.lists
}

// addFound has the lines of jobs noted that were not polled yet.
func (c *jobCache) addFound(found []job.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range found {
		c.entryLocked(id.Number)
	}
}

func (c *jobCache) noteListedEnd(l *commvault.Line) {
	if job.LookUp(l.Status, false).Finished {
		c.ended[l.Number] = l.Status
	} else {
		delete(c.ended, l.Number)
	}
}

// listedEnd is the finished state that the last list names of a job; "": none.
func (c *jobCache) listedEnd(number int64) job.Text {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.jobs[number]; s == nil || !s.line.namesState(c.lists) {
		return ""
	}
	return c.ended[number]
}

// addListedState gives a finished job the state of its line, where neither its details nor its summary tells one.
func (p *Poller) addListedState(s *job.Snapshot) bool {
	s.State = p.cache.listedEnd(s.Number)
	s.Settle()
	return s.State != ""
}
