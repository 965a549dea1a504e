package poller

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"jobwatch/internal/commvault"
	"jobwatch/internal/failpoint"
	"jobwatch/internal/job"
	"jobwatch/internal/store"
)

// trackedJob is a job to poll, and why.
type trackedJob struct {
	id      job.ID
	why     store.Why
	cached  *cachedJob // claimed for the poll
	changed uint16     // its line.changed when the poll began
	once    bool       // a failure is not repeated

	inFlight context.Context // of its request, which lives longer than the wait for a permit; nil: the poll's own
}

// discover reads the Job list and tracks what it names, the filter takes, and is not told to its end. What is tracked
// already is followed to its end, whatever a changed filter says: its events would never come to one.
func (p *Poller) discover(ctx context.Context) error {
	if !p.Discover {
		return p.list(ctx, p.FinishedWithin, func(lines []commvault.Line) error {
			p.readLines(lines)
			return nil
		})
	}
	asked := time.Now()
	within, err := p.lookBack(asked)
	if err != nil {
		return &storeError{err}
	}
	var filtered filterResult
	err = p.list(ctx, within, func(lines []commvault.Line) error {
		err := p.track(filtered.pass(p.Filter, lines))
		p.readLines(lines)
		return err
	})
	if err != nil {
		return err
	}
	failpoint.Pass(failpoint.Discovery)
	p.warnIfNothingPasses(&filtered)
	return wrapStore(p.raiseHighWaterMark(asked))
}

func (p *Poller) track(lines []commvault.Line) error {
	var found []job.ID
	for _, line := range lines {
		id := job.ID{CommCell: p.CommCell, Number: line.Number}
		ended, err := p.toldToTheEnd(id, line)
		if err != nil {
			return &storeError{err}
		}
		if !ended {
			found = append(found, id)
		}
	}
	err := wrapStore(p.Store.Track(store.Discovered, found...))
	if err == nil {
		p.cacheFound(found)
	}
	return err
}

// toldToTheEnd says whether a finished job of the list needs no poll any more.
func (p *Poller) toldToTheEnd(id job.ID, line commvault.Line) (bool, error) {
	if line.Status != "" && !job.LookUp(line.Status, line.EndTime != nil).Finished {
		return false, nil
	}
	known, err := p.Store.Recall(id)
	return known.Terminal && !known.RefreshPending && !startedAfter(known, line.StartTime), err
}

// filterResult is what a filter makes of a list. The zero filterResult is ready.
type filterResult struct {
	passed  bool
	leftOut map[string]bool // the rules that left some out
}

// pass gives the lines that pass the filter.
func (s *filterResult) pass(f Filter, lines []commvault.Line) []commvault.Line {
	var passing []commvault.Line
	for _, line := range lines {
		rule := f.LeftOutBy(&line)
		if rule == "" {
			passing = append(passing, line)
			continue
		}
		if s.leftOut == nil {
			s.leftOut = map[string]bool{}
		}
		s.leftOut[rule] = true
	}
	s.passed = s.passed || len(passing) > 0
	return passing
}

// warnIfNothingPasses judges the first list that has jobs.
func (p *Poller) warnIfNothingPasses(s *filterResult) {
	if p.filterJudged || !s.passed && len(s.leftOut) == 0 {
		return
	}
	p.filterJudged = true
	if !s.passed {
		rules := strings.Join(slices.Sorted(maps.Keys(s.leftOut)), ", discover.")
		p.Log.Warn("the Job list names jobs, and none passes discover."+rules, "commcell", p.CommCell)
	}
}
