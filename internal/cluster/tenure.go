package cluster

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"jobwatch/internal/stream"
)

const (
	readPatience  = 5 * time.Second        // for reading the stream before the first poll
	drainPatience = 5 * time.Second        // for sending what waits before a CommCell is given away
	endPatience   = 800 * time.Millisecond // the same for all of them, when the watcher stops
	retryAfter    = time.Second            // a store that could not be written
)

// tenure is the time in which a CommCell is polled here.
type tenure struct {
	cancel  context.CancelFunc
	ended   chan struct{}
	polls   atomic.Bool
	refresh int // tick at which its claim is written again; the loop's own
}

// begin has a CommCell polled as soon as all is known that has to be.
func (m *Member) begin(cell string, f Facts) *tenure {
	ctx, cancel := context.WithCancel(context.Background())
	t := &tenure{cancel: cancel, ended: make(chan struct{}), refresh: m.ticks + 5}
	m.beside.Go(func() {
		defer close(t.ended)
		if !m.insist(ctx, cell, func() error { return m.prepare(ctx, cell, f) }) {
			return
		}
		if m.insist(ctx, cell, func() error { return m.Work.Poll(cell) }) {
			t.polls.Store(true)
			<-ctx.Done()
		}
		m.Work.Rest(cell)
	})
	return t
}

// insist does something until it works. It is false if ctx has ended.
func (m *Member) insist(ctx context.Context, cell string, do func() error) bool {
	for said := ""; ; {
		err := do()
		if err == nil || ctx.Err() != nil {
			return ctx.Err() == nil
		}
		if err.Error() != said {
			said = err.Error()
			m.Log.Error("cannot poll a CommCell yet; trying on", "commcell", cell, "err", err)
		}
		select {
		case <-time.After(retryAfter):
		case <-ctx.Done():
			return false
		}
	}
}

// prepare does not wait long for the stream: what is polled before it was read is kept until that is done.
func (m *Member) prepare(ctx context.Context, cell string, f Facts) error {
	ctx, cancel := context.WithTimeout(ctx, readPatience)
	defer cancel()
	err := m.Work.Prepare(ctx, cell, f)
	if errors.Is(err, context.DeadlineExceeded) {
		m.Log.Warn("polls before the stream was read; what changes is kept until that is done, and sent then", "commcell", cell)
		return nil
	}
	return err
}

const silentTicks = deathTicks / 2

// foresee has the stream read when an owner has been silent for a while: if it is dead, little is left to be read when its
// CommCells are claimed.
func (m *Member) foresee(ctx context.Context) {
	for name, s := range m.board.members {
		if name == m.Instance || s.ticks != silentTicks || len(m.board.ownedBy(name)) == 0 || m.foreseeing.Swap(true) {
			continue
		}
		m.beside.Go(func() {
			defer m.foreseeing.Store(false)
			ctx, cancel := context.WithTimeout(ctx, readPatience)
			defer cancel()
			_ = m.Work.ReadOn(ctx) // else it is read when it is needed
		})
	}
}

// keepTenures polls no more what is another's, or of no configuration.
func (m *Member) keepTenures() {
	settings := m.Work.Settings()
	for cell, t := range inOrder(m.tenures) {
		_, follows := settings[cell]
		o := m.board.owners[cell]
		if m.giving[cell] || follows && (o == nil || o.Instance == "" || o.Instance == m.Instance) {
			continue
		}
		t.cancel()
		delete(m.tenures, cell)
		if follows {
			m.Log.Info("polls a CommCell no more: another member does", "commcell", cell, "owner", o.Instance, "reason", string(o.Why))
		}
	}
	m.remember()
}

// give has a CommCell polled no more, sends what waits of it, and gives it away. Where the member stops meanwhile, end does.
func (m *Member) give(ctx context.Context, cell string, g gift) {
	if m.giving[cell] {
		return
	}
	m.giving[cell] = true
	t, o := m.tenures[cell], m.board.owners[cell]
	m.beside.Go(func() {
		c := m.handOver(cell, t, o, g)
		draining, cancel := context.WithTimeout(ctx, drainPatience)
		m.Work.Drain(draining, cell)
		cancel()
		apply := func() {
			ctx, cancel := context.WithTimeout(context.Background(), 2*tick)
			defer cancel()
			if is := m.board.owners[cell]; is != nil && is.Instance == m.Instance && m.write(ctx, cell, c, is.revision) {
				m.sayGiven(cell, c)
			}
			delete(m.giving, cell)
			delete(m.tenures, cell)
			m.remember()
		}
		select {
		case m.results <- apply:
		case <-m.gone:
		}
	})
}

func (m *Member) sayGiven(cell string, c claim) {
	m.Log.Info("gives a CommCell away", "commcell", cell, "reason", string(c.Why), "to", c.Next)
}

// handOver ends a tenure, and gives the claim that names the next one.
func (m *Member) handOver(cell string, t *tenure, o *owned, g gift) claim {
	c := o.claim
	if t != nil {
		if t.polls.Load() {
			standing := m.Work.Standing(cell)
			c.Tracked = standing.Tracked
			c.note(standing.Facts)
		}
		t.cancel()
		<-t.ended
	}
	c.Layout, c.Instance, c.Next, c.Why, c.Since = layout, "", g.to, g.why, time.Now().UTC()
	return c
}

// end stops polling; with a farewell it also gives all away, so that others need not find out that this member is gone.
func (m *Member) end(farewell bool) {
	ctx, cancel := context.WithTimeout(context.Background(), endPatience)
	defer cancel()
	claims := map[string]claim{}
	var mu sync.Mutex
	var all sync.WaitGroup
	if all, err := m.Bucket.Since(ctx, m.board.revision); err == nil && m.entered { // somebody may have come a moment ago
		m.board.take(all)
	}
	gifts := m.board.giveAll(slices.Collect(maps.Keys(m.tenures)))
	for cell, t := range m.tenures {
		o := m.board.owners[cell]
		if o == nil || o.Instance != m.Instance {
			t.cancel()
			all.Go(func() { <-t.ended })
			continue
		}
		all.Go(func() {
			c := m.handOver(cell, t, o, gifts[cell])
			m.Work.Drain(ctx, cell)
			mu.Lock()
			defer mu.Unlock()
			claims[cell] = c
		})
	}
	all.Wait()
	if !farewell || !m.entered {
		return
	}
	last, stop := context.WithTimeout(context.Background(), tick)
	defer stop()
	for cell, c := range inOrder(claims) {
		if m.write(last, cell, c, m.board.owners[cell].revision) {
			m.sayGiven(cell, c)
		}
	}
	if err := m.goodbye(last); err != nil {
		m.Log.Debug("the cluster was not told that this member has stopped; it will notice", "err", err)
	}
}

// goodbye deletes this member's key, written meanwhile by somebody who told it to leave, perhaps.
func (m *Member) goodbye(ctx context.Context) error {
	err := m.Bucket.Delete(ctx, memberPrefix+m.Instance, m.own)
	if errors.Is(err, stream.ErrChanged) {
		if err = m.changed(ctx); errors.Is(err, errWritten) {
			err = m.Bucket.Delete(ctx, memberPrefix+m.Instance, m.own)
		}
	}
	return err
}
