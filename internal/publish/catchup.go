package publish

import (
	"context"
	"errors"
	"maps"
	"math"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
	"jobwatch/internal/store"
	"jobwatch/internal/stream"
)

// catchUp reads the stream on from where it was last read, and settles each job that it names, while
// nothing is in flight. So a store that is new, older than the stream or restored learns what was
// told before anything more is; and a stream that has lost something gets again what is retained of it.
func (p *Publisher) catchUp(ctx context.Context) error {
	if p.Store.KeepSent == 0 {
		if err := p.Store.Prune(); err != nil { // what an earlier start has retained is not to be sent again either
			return err
		}
	}
	info, err := p.Broker.Info(ctx)
	if err != nil {
		return err
	}
	read, err := p.Store.Cursor()
	if err != nil {
		return err
	}
	lost, err := p.hasLost(ctx, info, read)
	if err != nil {
		return err
	}
	if lost {
		read.Sequence = 0 // all of it is read
		p.startedAt = math.MaxUint64
		p.stopTail()
	}
	r := newReading(read.Sequence+1, lost)
	last, err := p.scan(ctx, info, r.from, func(m stream.Message) error { return p.foldInto(r, m) })
	if err != nil {
		return err
	}
	adopted := 0
	if err = p.checkMisplaced(ctx, r, lost); err == nil {
		err = p.noteLastRead(ctx, r, last)
	}
	if err == nil {
		adopted, err = p.settleAll(ctx, r.folds, lost)
	}
	if errors.Is(err, errTruncated) {
		return errors.Join(err, p.invalidate(info))
	}
	if err != nil {
		return err
	}
	if p.startedAt == math.MaxUint64 {
		p.startedAt = last
		p.logAdopted(adopted)
	}
	name := nameOf(info)
	if lost {
		if err := p.resendLost(ctx, r.last, read.Stream == name); err != nil {
			return err
		}
	}
	if lost || last >= r.from || read.Stream != name {
		err = p.Store.SetCursor(r.cursor(name, last))
	}
	if err != nil {
		return err
	}
	return p.Store.Prune()
}

// errTruncated says that a job's last event in the stream is older than the last one acknowledged.
var errTruncated = errors.New("the stream has lost what it acknowledged")

// nameOf names a stream for good: another of the same name has another birth.
func nameOf(info stream.Info) string {
	return info.Name + " " + info.Created.UTC().Format(time.RFC3339Nano)
}

// reading is what was read of the stream.
type reading struct {
	from  uint64
	folds map[job.ID]*folded
	last  map[job.ID]store.Acknowledged // each job's last event, where all are wanted; else nil
	end   position                      // the last message; zero: nothing was read

	misplaced map[string]misplaced // events of ours under another subject than their own, by id
}

// misplaced is an event that stands under another subject than its own.
type misplaced struct {
	want string
	last bool // it is the last of its job that was acknowledged
}

func newReading(from uint64, lost bool) *reading {
	r := &reading{from: from, folds: map[job.ID]*folded{}, misplaced: map[string]misplaced{}}
	if lost {
		r.last = map[job.ID]store.Acknowledged{}
	}
	return r
}

// cursor is how far was read, where the stream has that name, and ended there.
func (r *reading) cursor(name string, last uint64) store.Cursor {
	c := store.Cursor{Stream: name, Sequence: last}
	if r.end.sequence == last {
		c.ID = r.end.id
	}
	return c
}

// folded is what was read of a job's events.
type folded struct {
	event.Fold
	whole bool // nothing of them lies before
}

// foldInto reads one message. Up to the last event that the broker has acknowledged to us nothing is news, and no fold
// is kept: most of what is read are our own events, of up to 100,000 jobs.
func (p *Publisher) foldInto(r *reading, m stream.Message) error {
	r.end = position{m.Sequence, m.ID}
	e, err := event.Parse(m.Data)
	if err != nil {
		return nil
	}
	id, err := e.JobID()
	if err != nil {
		return nil
	}
	sent, err := p.Store.Acknowledged(id)
	if err != nil {
		return err
	}
	if want, is := p.isMisplacedEvent(e, m); is {
		last := e.ID == sent.ID && m.Sequence == sent.Stream
		if last || p.Store.Minted(e.ID) && e.Number() <= sent.Sequence {
			r.misplaced[e.ID] = misplaced{want, last}
		}
		return nil
	}
	delete(r.misplaced, e.ID) // sent again
	p.resent.confirmed(id, e.Number())
	if r.last != nil {
		r.last[id] = store.Acknowledged{ID: e.ID, Sequence: e.Number(), Stream: m.Sequence}
	}
	forgotten := !sent.Known && p.Store.Minted(e.ID) // the job, since it was sent
	if forgotten || e.ID == sent.ID && m.Sequence == sent.Stream {
		delete(r.folds, id)
		return nil
	}
	if r.folds[id] == nil {
		first, unknown, fromStart := e.Number() == 1, sent.ID == "", r.from <= 1
		// A job's first event is taken by the stream only where nothing of the job lies there.
		f := &folded{whole: first && unknown || fromStart && (first || unknown)}
		if !f.whole {
			if f.Fold, f.whole, err = p.foldBefore(id, sent, e.Number()); err != nil {
				return err
			}
		}
		r.folds[id] = f
	}
	r.folds[id].Add(m.Sequence, m.Data)
	return nil
}

// foldBefore gives what was told of a job before an event, to go on from, where the store knows that without asking: the
// event is the next one of the job. So a watcher that stands by for others reads each event of theirs once.
func (p *Publisher) foldBefore(id job.ID, sent store.Acknowledged, number uint64) (before event.Fold, known bool, err error) {
	if sent.ID == "" || number != sent.Sequence+1 {
		return event.Fold{}, false, nil
	}
	return p.Store.Fold(id)
}

// checkMisplaced asks, where acknowledged events were read under other subjects than their own, whether what we publish
// still ends there. Those that are the last of their jobs are sent again, once all of the stream is read.
func (p *Publisher) checkMisplaced(ctx context.Context, r *reading, lost bool) error {
	if lost {
		return nil
	}
	asked, again, passed := map[string]bool{}, 0, 0
	for _, s := range r.misplaced {
		if s.last {
			again++
		} else {
			passed++
		}
		if tail := s.want[secondLastToken(s.want):]; !asked[tail] {
			asked[tail] = true
			if err := p.checkRoute(ctx, s.want); err != nil {
				return err
			}
		}
	}
	if passed > 0 {
		p.Log.Warn("events stand under another subject than their own, and later ones of their jobs under the right one; they stay there",
			"count", passed)
	}
	if again > 0 {
		p.Log.Warn("events stand under another subject than their own; those kept are sent again", "count", again)
		return errTruncated
	}
	return nil
}

// settleAll settles many jobs at once, so that they share transactions. adopted counts those of which the stream told
// more than we knew.
func (p *Publisher) settleAll(ctx context.Context, folds map[job.ID]*folded, lost bool) (adopted int, err error) {
	var count atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(p.InFlight)
	for _, id := range slices.SortedFunc(maps.Keys(folds), job.Compare) { // a simulation is to replay
		f := folds[id]
		group.Go(func() error {
			sent, found, err := p.meaningOf(id, f.Fold)
			switch {
			case err != nil:
				return err
			case found == lostEnd && !lost:
				return errTruncated
			case found == foreign:
				count.Add(1)
			}
			return p.applyMeaning(ctx, id, sent, found, f.Fold, f.whole)
		})
	}
	err = group.Wait()
	return int(count.Load()), err
}

func (p *Publisher) logAdopted(adopted int) {
	if adopted > 0 {
		p.Log.Info("the stream tells of jobs what the store did not know; going on from what was told", "count", adopted)
	}
}

// ReadBack reads the stream once, as the start of Run does, and publishes nothing: the store then knows what
// was told.
func (p *Publisher) ReadBack(ctx context.Context) error { return p.catchUp(ctx) }
