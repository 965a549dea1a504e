package publish

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
	"jobwatch/internal/stream"
)

// catchUp reads the stream on from where it was last read, and settles each job that it names, while
// nothing is in flight. So a store that is new, older than the stream or restored learns what was
// told before anything more is.
func (p *Publisher) catchUp(ctx context.Context) error {
	info, err := p.Broker.Info(ctx)
	if err != nil {
		return err
	}
	name := info.Name + " " + info.Created.UTC().Format(time.RFC3339Nano)
	from, err := p.readFrom(name, info)
	if err != nil {
		return err
	}
	folds := map[job.ID]*reading{}
	last, err := p.Broker.Scan(ctx, from, func(m stream.Message) error { return p.foldInto(folds, m, from) })
	if err != nil {
		return err
	}
	if err := p.settleAll(ctx, folds); err != nil {
		return err
	}
	if last < from {
		return nil
	}
	return p.Store.SetCursor(name, last)
}

// readFrom is where to read on: behind the cursor, or from the start of a stream that is another than
// the one last read, or an older copy of it.
func (p *Publisher) readFrom(name string, info stream.Info) (uint64, error) {
	read, cursor, err := p.Store.Cursor()
	if err != nil || cursor == 0 {
		return 1, err
	}
	if read != name || cursor > info.Last {
		p.Log.Warn(fmt.Sprintf("the stream is not as it was last read (%s, sequence %d); reading all of it", read, cursor))
		return 1, nil
	}
	return cursor + 1, nil
}

// reading is what was read of a job's events.
type reading struct {
	event.Fold
	whole bool // nothing of them lies before
}

// foldInto reads one message. Up to the last event that the broker has acknowledged to us nothing is news, and
// nothing is kept: most of what is read are our own events, of up to 100,000 jobs.
func (p *Publisher) foldInto(folds map[job.ID]*reading, m stream.Message, from uint64) error {
	e, err := event.Parse(m.Data)
	if err != nil {
		return nil
	}
	id, err := e.JobID()
	if err != nil {
		return nil
	}
	sent, err := p.Store.Sent(id)
	if err != nil {
		return err
	}
	if e.ID == sent.ID && m.Sequence == sent.Stream {
		delete(folds, id)
		return nil
	}
	if folds[id] == nil {
		folds[id] = &reading{whole: from <= 1 && (sent.ID == "" || e.Number() == 1)}
	}
	folds[id].Add(m.Sequence, m.Data)
	return nil
}

// settleAll settles many jobs at once, so that they share transactions.
func (p *Publisher) settleAll(ctx context.Context, folds map[job.ID]*reading) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(p.InFlight)
	for id, r := range folds {
		group.Go(func() error { return p.settle(ctx, id, r.Fold, r.whole) })
	}
	return group.Wait()
}
