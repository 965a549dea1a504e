package cluster

import (
	"context"
	"errors"
	"fmt"

	"jobwatch/internal/stream"
)

// applyHands has the store know what people said of jobs that are polled here, at whichever member.
func (m *Member) applyHands() {
	for k, h := range m.board.hands {
		t := m.tenures[k.CommCell]
		if m.applied[k] == h.revision || t == nil || !t.polls.Load() {
			continue
		}
		if err := m.Work.Mark(k, h.Hand); err != nil {
			m.Log.Error("what was said of a job at another member could not be taken; trying on", "commcell", k.CommCell, "job", k.Number, "err", err)
			continue
		}
		m.applied[k] = h.revision
	}
}

// tidy brings the bucket's marks up to what the store knows of the CommCells polled here: a job that has come to its end
// needs none any more. Keys of members that are long dead go, too.
func (m *Member) tidy(ctx context.Context) {
	if m.ticks%refreshTicks != refreshTicks/2 {
		return
	}
	for cell, t := range inOrder(m.tenures) {
		if o := m.board.owners[cell]; o == nil || o.Instance != m.Instance || !t.polls.Load() {
			continue
		}
		marks, err := m.Work.Marks(cell)
		if err != nil {
			continue
		}
		for k, h := range m.board.hands {
			if _, still := marks[k]; k.CommCell == cell && !still && m.applied[k] == h.revision {
				_ = m.Bucket.Delete(ctx, k.key(), h.revision) // else the next time
			}
		}
		for k, h := range marks {
			if is := m.board.hands[k]; is.Hand != h && m.applied[k] == is.revision {
				revision, err := m.Bucket.Put(ctx, stream.Entry{Key: k.key(), Value: []byte(h), Revision: is.revision})
				if err == nil {
					m.applied[k] = revision
				}
			}
		}
	}
	m.forgetDead(ctx)
}

const forgetTicks = 24 * 60 * 60

func (m *Member) forgetDead(ctx context.Context) {
	for name, s := range inOrder(m.board.members) {
		if !s.alive() && s.ticks > forgetTicks && len(m.board.ownedBy(name)) == 0 {
			_ = m.Bucket.Delete(ctx, memberPrefix+name, s.revision) // another member does it, too
		}
	}
}

// Say tells the owner of a job what a person has said of it.
func Say(ctx context.Context, b stream.Bucket, k JobKey, h Hand) error {
	for range 10 {
		e, err := b.Get(ctx, k.key())
		if err == nil {
			_, err = b.Put(ctx, stream.Entry{Key: k.key(), Value: []byte(h), Revision: e.Revision})
		}
		if err == nil {
			return nil
		}
		if !errors.Is(err, stream.ErrChanged) {
			return fmt.Errorf("the member that polls %s cannot be told: %w", k.CommCell, err)
		}
	}
	return fmt.Errorf("the member that polls %s cannot be told: others tell it of this job all the time", k.CommCell)
}
