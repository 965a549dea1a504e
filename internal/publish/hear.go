package publish

import (
	"context"
	"errors"
	"sync"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
	"jobwatch/internal/stream"
)

// listen hears, from where the stream was just read, until stop is called, which waits for its end. Where that is is
// asked before anything is sent: a job that finds something lost sets it back.
func (p *Publisher) listen(ctx context.Context) (spoken <-chan job.ID, stop func()) {
	p.heard.clear()
	read, err := p.Store.Cursor()
	if err != nil {
		return nil, func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	ids := make(chan job.ID)
	var ended sync.WaitGroup
	ended.Go(func() { p.hear(ctx, read.Sequence+1, ids) })
	return ids, func() {
		cancel()
		ended.Wait()
	}
}

// hear follows the stream as a subscriber does, from a sequence on until ctx ends, and gives the jobs of which another
// has spoken. Nothing depends on it: what it misses is read at the end of the round.
func (p *Publisher) hear(ctx context.Context, from uint64, spoken chan<- job.ID) {
	for ctx.Err() == nil {
		err := p.Broker.Heads(ctx, from, func(m stream.Message) error {
			from = m.Sequence + 1
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
			pause(ctx, p.Round/10)
		}
	}
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

// deaf says once why nothing is heard.
func (p *Publisher) deaf(err error) {
	if errors.Is(err, stream.ErrDisconnected) || err.Error() == p.saidDeaf {
		return
	}
	p.saidDeaf = err.Error()
	p.Log.Warn("the stream cannot be followed; what another watcher tells is noticed later", "err", err)
}

// attend settles a job of which another has spoken, if it is not known yet what was said: an event of ours, from
// before a restart, is.
func (p *Publisher) attend(ctx context.Context, id job.ID) {
	sequence, spoken := p.heard.take(id)
	if !spoken {
		return
	}
	sent, err := p.Store.Sent(id)
	if err == nil && sent.Stream < sequence {
		err = p.reconcile(ctx, id)
	}
	if err != nil && ctx.Err() == nil {
		p.Log.Warn("what another watcher has told of this job is read later", "job", id.String(), "err", err)
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
