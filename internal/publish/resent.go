package publish

import (
	"sync"
	"sync/atomic"
	"time"

	"jobwatch/internal/job"
	"jobwatch/internal/store"
	"jobwatch/internal/stream"
)

// resent are the events that the stream had lost since the connection was made, that were sent again, and have not been
// read there since. If one of them is lost once more, nothing more is sent of its job: what takes it away goes on taking,
// and each time subscribers hear it.
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

// lostAgain says whether an event is one that had been sent again: first is the sequence of a job's first lost event. If
// so, the job is blocked.
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

// recording remembers what a fate has sent again.
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

// unblock begins anew with each connection, and after an hour of one: what was lost twice waits to be sent, and is.
func (p *Publisher) unblock(lasts bool) {
	if !lasts || p.resent.any.Load() && p.resent.expired() {
		p.refused.lift(errLostTwice)
		p.resent.clear()
	}
}
