package cluster

import (
	"context"
	"time"

	"jobwatch/internal/stream"
)

// claim takes a CommCell, if nobody was faster.
func (m *Member) claim(ctx context.Context, cell string, why Reason) {
	was := m.board.owners[cell]
	if was == nil {
		was = &owned{}
	}
	facts := m.factsOf(cell, was)
	c := claim{
		Layout: layout, Instance: m.Instance, Term: was.Term + 1, Since: time.Now().UTC(), Why: why, Tracked: was.Tracked, rest: was.rest,
	}
	c.note(facts)
	if !m.write(ctx, cell, c, was.revision) {
		return
	}
	m.mu.Lock()
	m.counts[why]++
	m.mu.Unlock()
	m.Log.Info("claims a CommCell", "commcell", cell, "reason", string(why), "before", was.Instance)
	if m.tenures[cell] == nil {
		m.tenures[cell] = m.begin(cell, facts)
	}
}

// write writes a claim, if it is what was read last. Who was faster is read in the next pass.
func (m *Member) write(ctx context.Context, cell string, c claim, upon uint64) bool {
	value, err := encode(c, c.rest)
	if err != nil {
		return false
	}
	revision, err := m.Bucket.Put(ctx, stream.Entry{Key: ownerPrefix + cell, Value: value, Revision: upon})
	if err != nil {
		return false
	}
	if o := m.board.owners[cell]; o == nil || o.Instance != c.Instance {
		m.board.changed(c.Why == Balance)
	}
	m.board.owners[cell] = &owned{claim: c, revision: revision, stored: m.board.newest}
	return true
}

// factsOf are what the last owner has written of a CommCell. The age of its Job list goes on by the broker's clock.
func (m *Member) factsOf(cell string, was *owned) Facts {
	f := Facts{GUID: was.GUID, Hands: map[JobKey]Hand{}}
	if was.ListedAgo != nil {
		f.Listed = new(time.Duration(*was.ListedAgo)*time.Second + max(0, m.board.newest.Sub(was.stored)))
	}
	for k, h := range m.board.hands {
		if k.CommCell == cell {
			f.Hands[k] = h.Hand
			m.applied[k] = h.revision
		}
	}
	return f
}

// note writes into a claim what the next owner has to know.
func (c *claim) note(f Facts) {
	c.GUID, c.ListedAgo = f.GUID, nil
	if f.Listed != nil {
		c.ListedAgo = new(int64(f.Listed.Seconds()))
	}
}

const refreshTicks = 60 // between two writings of an own claim

// refreshClaims writes what has changed of the CommCells that are polled here: now and then, and soon after they began.
func (m *Member) refreshClaims(ctx context.Context) {
	for cell, t := range inOrder(m.tenures) {
		o := m.board.owners[cell]
		if o == nil || o.Instance != m.Instance || m.giving[cell] || m.ticks < t.refresh || !t.polls.Load() {
			continue
		}
		standing := m.Work.Standing(cell)
		c := o.claim
		c.Layout, c.Tracked = layout, standing.Tracked
		c.note(standing.Facts)
		if m.write(ctx, cell, c, o.revision) {
			t.refresh = m.ticks + refreshTicks
		}
	}
}
