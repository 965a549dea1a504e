package publish

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
	"jobwatch/internal/store"
	"jobwatch/internal/stream"
)

// hasLost says whether the stream has lost what it had acknowledged, or what was read of it: it is another stream,
// ends before that, or holds something else at the position of our last event, or of what was read last. One position
// is enough: what a broker loses is its end, and where somebody has filled that up again, the last of ours is lost
// too. A message missing in between is found by the job's next publish. What lies before the stream's first message
// was aged or purged, and is not lost.
func (p *Publisher) hasLost(ctx context.Context, info stream.Info, read store.Cursor) (bool, error) {
	if read.Sequence == store.Invalidated {
		return true, nil // logged by the job that noticed
	}
	if read.Stream != "" && read.Stream != nameOf(info) || read.Sequence > info.Last {
		p.Log.Warn(fmt.Sprintf("the stream is not as it was last read (%s, sequence %d); reading all of it", read.Stream, read.Sequence))
		return true, nil
	}
	eventID, sequence, err := p.Store.HighestRetained()
	if err != nil {
		return false, err
	}
	if read.ID != "" && read.Sequence > sequence {
		holds, gone, err := p.stillHolds(ctx, position{read.Sequence, read.ID})
		if err != nil || holds {
			return false, err
		}
		if !gone { // a message may be deleted alone
			p.warnLost(read.Sequence)
			return true, nil
		}
	}
	if sequence == 0 || sequence < info.First {
		return false, nil
	}
	if sequence <= info.Last {
		holds, _, err := p.stillHolds(ctx, position{sequence, eventID})
		if err != nil || holds {
			return false, err
		}
	}
	p.warnLost(sequence)
	return true, nil
}

func (p *Publisher) warnLost(sequence uint64) {
	p.causes.report(slog.LevelWarn, "the stream has lost what it held; reading all of it", fmt.Errorf("another message, or none, is sequence %d", sequence))
}

// stillHolds says whether the stream holds the message that is known to have stood at a position; gone: it holds none
// there. What it holds is noted: it may be lost before the stream is read.
func (p *Publisher) stillHolds(ctx context.Context, known position) (holds, gone bool, err error) {
	m, err := p.Broker.At(ctx, known.sequence)
	if errors.Is(err, stream.ErrNone) {
		return false, true, nil
	}
	if err != nil {
		return false, false, err
	}
	if want, misplaced := p.isMisplaced(m); misplaced && m.ID == known.id {
		return false, false, p.checkRoute(ctx, want)
	}
	return m.ID == known.id && p.positions.note(known), false, nil
}

// resendLost puts what is retained of the lost events back into the outbox, in front of what is unsent. last are the
// jobs' last events in the stream, all of which has been read; same: it is the stream that acknowledged the events.
func (p *Publisher) resendLost(ctx context.Context, last map[job.ID]store.Acknowledged, same bool) error {
	info, err := p.Broker.Info(ctx) // asked again: what has aged since the stream was read is not lost
	if err != nil {
		return err
	}
	l := newLosses(last, same, info.First)
	if err := p.Store.EachRetained(l.survey); err != nil {
		return err
	}
	for id, first := range l.resendFrom {
		if p.resent.lostAgain(id, first) {
			p.refused.stop(id, errLostTwice)
		}
	}
	for _, id := range slices.SortedFunc(maps.Keys(l.diverged), job.Compare) { // a simulation is to replay
		if err := p.adopt(ctx, id, event.Fold{}, false); err != nil {
			return err
		}
	}
	events, err := p.Store.Requeue(store.Loss{Fate: p.resent.recording(l.fate), Last: l.lastOf})
	if err != nil {
		return err
	}
	if events > 0 {
		p.Log.Warn("the stream has lost acknowledged events; those kept are sent again"+l.unrecoverable(), "count", events)
	}
	return p.Store.ResetHighest()
}

// resendJob is resendLost for one job, whose last event in the stream is older than what was acknowledged.
func (p *Publisher) resendJob(ctx context.Context, id job.ID, fold event.Fold) error {
	last := store.Acknowledged{ID: fold.Last.ID, Stream: fold.Stream}
	if !fold.Empty() {
		last.Sequence = fold.Last.Number()
	}
	sent, err := p.Store.Acknowledged(id)
	if err != nil || sent.Sequence == last.Sequence {
		return err
	}
	keeps, err := p.Store.Retains(id)
	if err != nil || !keeps {
		return err
	}
	info, err := p.Broker.Info(ctx)
	if err != nil {
		return err
	}
	l := newLosses(map[job.ID]store.Acknowledged{id: last}, true, info.First)
	err = p.Store.EachRetained(func(k store.Retained) error {
		if k.Job != id {
			return nil
		}
		return l.survey(k)
	})
	switch {
	case err != nil:
		return err
	case l.diverged[id]:
		return p.adopt(ctx, id, event.Fold{}, false)
	case l.resendFrom[id] == 0:
		return nil
	}
	twice := p.resent.lostAgain(id, l.resendFrom[id])
	fate := func(k store.Retained) store.Fate {
		if k.Job != id || !l.lost(k) {
			return store.Stays
		}
		return store.Resend
	}
	if err := p.invalidate(info); err != nil {
		return err
	}
	events, err := p.Store.Requeue(store.Loss{Fate: p.resent.recording(fate), Last: l.lastOf})
	if events > 0 {
		p.Log.Warn("the stream has lost acknowledged events of this job; those kept are sent again"+l.unrecoverable(), "job", id.String(), "count", events)
	}
	if err == nil && twice {
		return errLostTwice
	}
	return err
}

// invalidate makes the next round, or the next start, read the whole stream. The position of our last event would not
// show any more what else was lost: what is sent again of the job that noticed stands there.
func (p *Publisher) invalidate(info stream.Info) error {
	return p.Store.SetCursor(store.Cursor{Stream: nameOf(info), Sequence: store.Invalidated})
}

// losses decides what becomes of each retained event, by what the stream still holds.
type losses struct {
	last  map[job.ID]store.Acknowledged
	same  bool   // the stream is the one that acknowledged them
	first uint64 // of its sequences

	diverged   map[job.ID]bool   // a foreign event stands where ours belongs
	resendFrom map[job.ID]uint64 // the first event of the job that is sent again
}

func newLosses(last map[job.ID]store.Acknowledged, same bool, first uint64) *losses {
	return &losses{last: last, same: same, first: first, diverged: map[job.ID]bool{}, resendFrom: map[job.ID]uint64{}}
}

func (l *losses) lastOf(id job.ID) store.Acknowledged { return l.last[id] }

// survey notes where each job's resending begins, and the jobs whose last event in the stream is not the one we retain.
func (l *losses) survey(k store.Retained) error {
	if l.lost(k) && l.resendFrom[k.Job] == 0 {
		l.resendFrom[k.Job] = k.Sequence
	}
	if k.Sequence != l.last[k.Job].Sequence {
		return nil
	}
	eventID, err := k.ID()
	if err == nil && eventID != l.last[k.Job].ID {
		l.diverged[k.Job] = true
	}
	return err
}

func (l *losses) lost(k store.Retained) bool {
	aged := l.same && k.Stream < l.first
	return k.Sequence > l.last[k.Job].Sequence && !aged
}

func (l *losses) fate(k store.Retained) store.Fate {
	last := l.last[k.Job]
	switch {
	case l.diverged[k.Job] && k.Sequence >= last.Sequence:
		return store.Dropped
	case l.lost(k):
		return store.Resend
	case k.Sequence > last.Sequence: // aged
		return store.Stays
	case !l.same || k.Stream > last.Stream:
		return store.Resequenced
	}
	return store.Stays
}

// unrecoverable says how many events before those sent again are lost for good; "" for none.
func (l *losses) unrecoverable() string {
	count, jobs := uint64(0), 0
	for id, first := range l.resendFrom {
		if missing := first - 1 - l.last[id].Sequence; missing > 0 && !l.diverged[id] {
			count += missing
			jobs++
		}
	}
	if count == 0 {
		return ""
	}
	return fmt.Sprintf("; %d of %d jobs before them are not kept any more", count, jobs)
}

// resent are the events that the stream has lost since the connection was made, that were sent again, and have not been
// read there since. If one of them is lost once more, nothing more is sent of its job: whatever removes it would remove
// it again, and subscribers would receive it each time.
type resent struct {
	mu      sync.Mutex
	upTo    map[job.ID]uint64 // sequence of the last one; guarded by mu, as the rest is
	blocked map[job.ID]bool   // jobs of which one was lost twice
	since   time.Time

	any atomic.Bool // a job is blocked
}

// unblockAfter is when an event that was lost twice is sent once more, though the connection has lasted.
const unblockAfter = time.Hour

var errLostTwice = &stream.RefusedError{Reason: stream.Misfit, Text: "the stream has lost an acknowledged event, taken it again, and lost it " +
	"again; find out what removes messages from it (nats stream info: limits, discard, max_age; or somebody who purges), " +
	"then restart jobwatch, or wait for an hour"}

// lostAgain says whether an event is one that had been sent again: first is the sequence of a job's first lost event.
// If so, the job is blocked.
func (r *resent) lostAgain(id job.ID, first uint64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if first > r.upTo[id] {
		return r.blocked[id]
	}
	if r.blocked == nil {
		r.blocked = map[job.ID]bool{}
	}
	r.blocked[id] = true
	r.any.Store(true)
	return true
}

func (r *resent) blocks(id job.ID) bool {
	if !r.any.Load() {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.blocked[id]
}

// confirmed forgets what was sent again of a job, up to an event that was read where it belongs.
func (r *resent) confirmed(id job.ID, sequence uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if upTo, sent := r.upTo[id]; sent && sequence >= upTo {
		delete(r.upTo, id)
	}
}

// recording wraps fate, and remembers which events it sends again.
func (r *resent) recording(fate func(store.Retained) store.Fate) func(store.Retained) store.Fate {
	return func(k store.Retained) store.Fate {
		is := fate(k)
		if is != store.Resend {
			return is
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.upTo == nil {
			r.upTo = map[job.ID]uint64{}
		}
		r.upTo[k.Job] = max(r.upTo[k.Job], k.Sequence)
		return is
	}
}

func (r *resent) expired() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Since(r.since) >= unblockAfter
}

func (r *resent) clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.any.Store(false)
	r.upTo, r.blocked, r.since = nil, nil, time.Now()
}

// unblock forgets what was sent again and lost, at each new connection and after an hour of one: what was lost twice is
// then sent once more.
func (p *Publisher) unblock(lasts bool) {
	if !lasts || p.resent.any.Load() && p.resent.expired() {
		p.refused.lift(errLostTwice)
		p.resent.clear()
	}
}
