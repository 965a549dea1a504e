package poller

import (
	"context"
	"maps"
	"sync"
	"time"

	"jobwatch/internal/commvault"
	"jobwatch/internal/job"
)

// Counts are what metrics show of a Poller. The zero Counts is ready.
type Counts struct {
	mu    sync.Mutex
	state Totals // guarded by mu
}

// Totals are the counts since the start.
type Totals struct {
	Polls   map[string]int64 // looks, by result: ok, unchanged, or the kind of the error
	Events  map[string]int64 // changes committed, by kind
	Ticks   int64
	Skipped int64         // ticks that fell due during a tick
	Took    time.Duration // the last tick
	Up      bool          // the last tick that asked got an answer
}

// Totals reads the counts.
func (c *Counts) Totals() Totals {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.state
	t.Polls, t.Events = maps.Clone(t.Polls), maps.Clone(t.Events)
	return t
}

func (c *Counts) count(edit func(*Totals)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state.Polls == nil {
		c.state.Polls, c.state.Events = map[string]int64{}, map[string]int64{}
	}
	edit(&c.state)
}

func (c *Counts) poll(result string) { c.count(func(t *Totals) { t.Polls[result]++ }) }
func (c *Counts) skippedTick()       { c.count(func(t *Totals) { t.Skipped++ }) }
func (c *Counts) answers(up bool)    { c.count(func(t *Totals) { t.Up = up }) }

func (c *Counts) tick(took time.Duration) {
	c.count(func(t *Totals) { t.Ticks++; t.Took = took })
}

func (c *Counts) events(changes []job.Change) {
	c.count(func(t *Totals) {
		for _, change := range changes {
			t.Events[change.Kind]++
		}
	})
}

// report logs what went wrong with a job, or with the CommCell's list, when it is news.
func (p *Poller) report(ctx context.Context, j trackedJob, err error) {
	if ctx.Err() != nil {
		return
	}
	if err != nil && !j.id.IsCommCell() {
		p.Counts.poll(resultOf(err))
	}
	sight := p.sight(j.id)
	kind := ""
	if err != nil {
		kind = resultOf(err)
	}
	if kind != "" && kind != sight.failure {
		p.Log.Warn("no observation", "job", j.id.String(), "err", err)
	}
	sight.failure = kind
}

func resultOf(err error) string {
	if err == errOlder {
		return "older"
	}
	return string(commvault.KindOf(err))
}
