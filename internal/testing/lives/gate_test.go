package lives

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"jobwatch/internal/stream"
)

// verdict is how a call goes on.
type verdict uint8

const (
	goes verdict = iota
	fails
	lost // it happens, and its answer is lost

	late         // a publish fails, and its message arrives later
	busy         // a publish is refused for a moment
	crashBefore  // a transaction: nothing of it happens
	crashAfter   // all of it has happened
	timesOut     // the CommServe takes too long
	refuses      // the CommServe refuses its user
	anotherJob   // the answer is another job's
	unknown      // the answer does not know the job
	stale        // the answer is an older one, from a cache
	answersLater // the answer is as of now, and comes later
)

var verdicts = [...]string{"", ": fails", ": is done, and its answer is lost", ": fails, and arrives later", ": another is in process",
	": CRASH before it", ": CRASH after it", ": times out", ": refused", ": of another job", ": unknown", ": an old one", ": under way"}

// call is one that waits at the gate.
type call struct {
	process *process
	what    string
	job     int64           // details
	filter  string          // of the broker's
	message stream.Outgoing // Publish, published

	arrived int // as which
	lapses  int // of the small world, that it has waited
	goesOn  chan verdict
}

// gate is where each call to the outside waits.
type gate struct {
	mu      sync.Mutex
	waiting []*call
	count   int
	comes   chan struct{} // holds a token when a call has come
}

// wait waits until the call is let go, or ctx ends.
func (g *gate) wait(ctx context.Context, c *call) (verdict, error) {
	c.goesOn = make(chan verdict, 1)
	g.mu.Lock()
	g.count++
	c.arrived = g.count
	g.waiting = append(g.waiting, c)
	g.mu.Unlock()
	select {
	case g.comes <- struct{}{}:
	default:
	}
	select {
	case how := <-c.goesOn:
		return how, nil
	case <-ctx.Done():
		c.process.stands()
		g.remove(c)
		return fails, context.Cause(ctx)
	}
}

func (g *gate) remove(c *call) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if i := slices.Index(g.waiting, c); i >= 0 {
		g.waiting = slices.Delete(g.waiting, i, i+1)
	}
}

// release lets a call go on.
func (g *gate) release(c *call, how verdict) {
	g.remove(c)
	c.goesOn <- how
}

// calls gives those that wait in an order that does not depend on who came first of those that came at once.
func (g *gate) calls() []*call {
	g.mu.Lock()
	defer g.mu.Unlock()
	slices.SortFunc(g.waiting, func(a, b *call) int {
		return cmp.Or(
			cmp.Compare(a.process.watcher.name, b.process.watcher.name), cmp.Compare(a.what, b.what),
			cmp.Compare(a.job, b.job), cmp.Compare(a.filter, b.filter), cmp.Compare(a.arrived, b.arrived))
	})
	return slices.Clone(g.waiting)
}
