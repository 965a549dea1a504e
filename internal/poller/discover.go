package poller

import (
	"context"
	"errors"

	"jobwatch/internal/commvault"
	"jobwatch/internal/job"
	"jobwatch/internal/store"
)

// trackedJob is a job to look at, and why.
type trackedJob struct {
	id  job.ID
	why store.Why
}

// discover tracks what the Job list names and is not told to its end.
func (p *Poller) discover(ctx context.Context, t *tick) error {
	if !p.Discover {
		return nil
	}
	err := p.list(ctx, p.track)
	var broken *storeError
	if errors.As(err, &broken) {
		return err
	}
	t.note(err)
	p.report(ctx, trackedJob{id: p.id}, err)
	return nil
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
	return wrapStore(p.Store.Track(store.Discovered, found...))
}

// toldToTheEnd says whether a finished job of the list needs no look any more.
func (p *Poller) toldToTheEnd(id job.ID, line commvault.Line) (bool, error) {
	if !job.LookUp(line.Status, line.EndTime != nil).Finished {
		return false, nil
	}
	known, err := p.Store.Recall(id)
	return known.Terminal && !known.Owed, err
}
