package publish

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
	"jobwatch/internal/stream"
)

// listener hears what the stream stores, from its connection's first round to its end: one consumer for all of it.
type listener struct {
	spoken chan job.ID
	stop   func() // and wait for the end
}

// listen hears, from where the stream was just read. Where that is is asked before anything is sent: a job that finds
// something lost sets it back.
func (p *Publisher) listen(ctx context.Context, end context.CancelCauseFunc) (spoken <-chan job.ID) {
	p.lookedAstray.Store(false)
	if p.listener != nil {
		return p.listener.spoken
	}
	p.heard.clear()
	read, err := p.Store.Cursor()
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	ids := make(chan job.ID)
	var ended sync.WaitGroup
	ended.Go(func() { p.hear(ctx, read.Sequence+1, ids, end) })
	p.listener = &listener{ids, func() {
		cancel()
		ended.Wait()
	}}
	return ids
}

// deafen ends the listening: the connection is over, or all of the stream is read anew.
func (p *Publisher) deafen() {
	if p.listener != nil {
		p.listener.stop()
		p.listener = nil
	}
}

// hear follows the stream as a subscriber does, from a sequence on until ctx ends, and gives the jobs of which another
// has spoken. Nothing depends on it: what it misses is read at the end of the round.
func (p *Publisher) hear(ctx context.Context, from uint64, spoken chan<- job.ID, end context.CancelCauseFunc) {
	for fails := 0; ctx.Err() == nil; fails++ {
		err := p.Broker.FollowHeaders(ctx, from, func(m stream.Message) error {
			from, fails = m.Sequence+1, 0
			if p.Store.Minted(m.ID) && !event.IsOurs(p.Prefix, m.Subject) {
				return p.heardAstray(ctx, m.Sequence, end)
			}
			id, news := p.news(m)
			if !news {
				return nil
			}
			select {
			case spoken <- id:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		if ctx.Err() == nil {
			p.deaf(err)
			pause(ctx, p.backoff(fails))
		}
	}
}

// heardAstray looks at an event of ours that was heard under a subject of nobody's: is what we publish still stored there?
func (p *Publisher) heardAstray(ctx context.Context, sequence uint64, end context.CancelCauseFunc) error {
	if p.lookedAstray.Swap(true) { // once a round: the mend may be done, and what was stored before it is heard still
		return nil
	}
	m, err := p.Broker.At(ctx, sequence)
	if err != nil {
		return nil // it is read at the end of the round
	}
	want, is := p.misplaced(m)
	if !is {
		return nil
	}
	var misfit *stream.MisfitError
	if err := p.suspect(ctx, want); errors.As(err, &misfit) {
		end(err)
	}
	return nil
}

// news says whether a message may tell what we do not know, of which job, and whether nobody was told so yet. Nearly
// all that is heard are our own events.
func (p *Publisher) news(m stream.Message) (job.ID, bool) {
	if p.Store.Minted(m.ID) || event.Epoch(m.ID) == "" {
		return job.ID{}, false
	}
	id, ours := event.OfJob(p.Prefix, m.Subject)
	if !ours || !p.Follows(id.CommCell) {
		return job.ID{}, false
	}
	return id, p.heard.add(id, m.Sequence)
}

// deaf says why nothing is heard.
func (p *Publisher) deaf(err error) {
	if !errors.Is(err, stream.ErrDisconnected) {
		p.causes.met(slog.LevelWarn, "the stream cannot be followed; what another watcher tells is noticed later", err)
	}
}

// attend settles a job of which another has spoken, if it is not known yet what was said: an event of ours, from
// before a restart, is.
func (p *Publisher) attend(ctx context.Context, id job.ID, end context.CancelCauseFunc) {
	sequence, spoken := p.heard.take(id)
	if !spoken {
		return
	}
	sent, err := p.Store.Sent(id)
	if err == nil && sent.Stream < sequence {
		err = p.reconcile(ctx, id)
	}
	var misfit *stream.MisfitError
	if errors.As(err, &misfit) {
		end(err)
	}
	if err != nil && ctx.Err() == nil {
		p.causes.met(slog.LevelWarn, "what another watcher has told of this job is read later", err, "job", id.String())
	}
}

// heard are the jobs of which another has spoken since somebody last attended to them, and where in the stream.
type heard struct {
	mu   sync.Mutex
	last map[job.ID]uint64 // guarded by mu
}

// add is false if the job is there already.
func (h *heard) add(id job.ID, sequence uint64) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, there := h.last[id]
	if h.last == nil {
		h.last = map[job.ID]uint64{}
	}
	h.last[id] = sequence
	return !there
}

func (h *heard) take(id job.ID) (sequence uint64, there bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	sequence, there = h.last[id]
	delete(h.last, id)
	return sequence, there
}

func (h *heard) clear() {
	h.mu.Lock()
	defer h.mu.Unlock()
	clear(h.last)
}
