package poller

import (
	"cmp"
	"context"
	"slices"

	"jobwatch/internal/commvault"
	"jobwatch/internal/job"
	"jobwatch/internal/store"
)

// trackedJob is a job to look at, and why.
type trackedJob struct {
	id  job.ID
	why store.Why
}

// tracked lists the jobs to look at, in the order of their numbers.
func (p *Poller) tracked() ([]trackedJob, error) {
	reasons, err := p.Store.Tracked(p.CommCell)
	if err != nil {
		return nil, err
	}
	jobs := make([]trackedJob, 0, len(reasons))
	for id, why := range reasons {
		jobs = append(jobs, trackedJob{id, why})
	}
	slices.SortFunc(jobs, func(a, b trackedJob) int { return cmp.Compare(a.id.Number, b.id.Number) })
	return jobs, nil
}

// discover tracks what the Job list names and is not told to its end.
func (p *Poller) discover(ctx context.Context, t *tick) error {
	if !p.Discover {
		return nil
	}
	lines, err := p.list(ctx)
	t.note(err)
	p.report(ctx, trackedJob{id: p.id}, err)
	if err != nil {
		return nil
	}
	p.sight(p.id).failure = ""
	var found []job.ID
	for _, line := range lines {
		id := job.ID{CommCell: p.CommCell, Number: line.Number}
		ended, err := p.toldToTheEnd(id, line)
		if err != nil {
			return err
		}
		if !ended {
			found = append(found, id)
		}
	}
	return p.Store.Track(store.Discovered, found...)
}

// toldToTheEnd says whether a finished job of the list needs no look any more.
func (p *Poller) toldToTheEnd(id job.ID, line commvault.Line) (bool, error) {
	if !job.LookUp(line.Status, line.EndTime != nil).Finished {
		return false, nil
	}
	known, err := p.Store.Recall(id)
	return known.Terminal && !known.Owed, err
}
