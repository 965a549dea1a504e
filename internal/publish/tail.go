package publish

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
	"jobwatch/internal/stream"
)

// tail follows what the stream stores, from a connection's first round to its end: one consumer for all of it.
type tail struct {
	named chan job.ID
	stop  func() // and wait for the end
}

// startTail follows the stream from where it was just read. The cursor is read before anything is sent: a job that
// finds something lost sets it back.
func (p *Publisher) startTail(ctx context.Context, end context.CancelCauseFunc) (named <-chan job.ID) {
	p.misplacedChecked.Store(false)
	if p.tail != nil {
		return p.tail.named
	}
	p.named.clear()
	read, err := p.Store.Cursor()
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	ids := make(chan job.ID)
	var ended sync.WaitGroup
	ended.Go(func() { p.followTail(ctx, read.Sequence+1, ids, end) })
	p.tail = &tail{ids, func() {
		cancel()
		ended.Wait()
	}}
	return ids
}

// stopTail ends it: the connection is over, or the whole stream is to be read again.
func (p *Publisher) stopTail() {
	if p.tail != nil {
		p.tail.stop()
		p.tail = nil
	}
}

// followTail follows the stream as a subscriber does, from a sequence on until ctx ends, and names the jobs that
// foreign events are of. Nothing depends on it: what it misses is read at the end of the round.
func (p *Publisher) followTail(ctx context.Context, from uint64, named chan<- job.ID, end context.CancelCauseFunc) {
	for fails := 0; ctx.Err() == nil; fails++ {
		err := p.Broker.FollowHeaders(ctx, from, func(m stream.Message) error {
			from, fails = m.Sequence+1, 0
			if p.Store.Minted(m.ID) && !event.IsOurs(p.Prefix, m.Subject) {
				return p.checkMisplacedAtTail(ctx, m.Sequence, end)
			}
			id, news := p.foreignJob(m)
			if !news {
				return nil
			}
			select {
			case named <- id:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		if ctx.Err() == nil {
			p.logTailLost(err)
			pause(ctx, p.backoff(fails))
		}
	}
}

// checkMisplacedAtTail reads an event of ours that is stored under another subject than ours: is that subject still
// mapped there?
func (p *Publisher) checkMisplacedAtTail(ctx context.Context, sequence uint64, end context.CancelCauseFunc) error {
	if p.misplacedChecked.Swap(true) { // once a round: it may be fixed, and what was stored before that still comes
		return nil
	}
	m, err := p.Broker.At(ctx, sequence)
	if err != nil {
		return nil // it is read at the end of the round
	}
	want, is := p.isMisplaced(m)
	if !is {
		return nil
	}
	var misfit *stream.MisfitError
	if err := p.checkRoute(ctx, want); errors.As(err, &misfit) {
		end(err)
	}
	return nil
}

// foreignJob gives the job that a message is of, if it may tell what we do not know and the job is not named already.
// Nearly all messages are our own events.
func (p *Publisher) foreignJob(m stream.Message) (job.ID, bool) {
	if p.Store.Minted(m.ID) || event.Epoch(m.ID) == "" {
		return job.ID{}, false
	}
	id, ours := event.ParseSubject(p.Prefix, m.Subject)
	if !ours || !p.Follows(id.CommCell) {
		return job.ID{}, false
	}
	return id, p.named.add(id, m.Sequence)
}

// logTailLost says why the tail is not followed.
func (p *Publisher) logTailLost(err error) {
	if !errors.Is(err, stream.ErrDisconnected) {
		p.causes.report(slog.LevelWarn, "the stream cannot be followed; events of another watcher are noticed later", err)
	}
}

// reconcileNamed reconciles a job that the tail has named, if the event is not known yet: one of ours from before a
// restart is.
func (p *Publisher) reconcileNamed(ctx context.Context, id job.ID, end context.CancelCauseFunc) {
	sequence, named := p.named.take(id)
	if !named {
		return
	}
	sent, err := p.Store.Acknowledged(id)
	if err == nil && sent.Stream < sequence {
		err = p.reconcile(ctx, id)
	}
	var misfit *stream.MisfitError
	if errors.As(err, &misfit) {
		end(err)
	}
	if err != nil && ctx.Err() == nil {
		p.causes.report(slog.LevelWarn, "the events of another watcher on this job are read later", err, "job", id.String())
	}
}

// namedJobs are the jobs with a foreign event that nobody has reconciled yet, and its sequence in the stream.
type namedJobs struct {
	mu   sync.Mutex
	last map[job.ID]uint64 // guarded by mu
}

// add is false if the job is there already.
func (h *namedJobs) add(id job.ID, sequence uint64) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, there := h.last[id]
	if h.last == nil {
		h.last = map[job.ID]uint64{}
	}
	h.last[id] = sequence
	return !there
}

func (h *namedJobs) take(id job.ID) (sequence uint64, there bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	sequence, there = h.last[id]
	delete(h.last, id)
	return sequence, there
}

func (h *namedJobs) all() []job.ID {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.SortedFunc(maps.Keys(h.last), job.Compare)
}

func (h *namedJobs) clear() {
	h.mu.Lock()
	defer h.mu.Unlock()
	clear(h.last)
}
