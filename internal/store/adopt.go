package store

import (
	"go.etcd.io/bbolt"

	"jobwatch/internal/diff"
	"jobwatch/internal/event"
	"jobwatch/internal/job"
)

// Adopt takes what the stream has told of a job for what was told: it holds events of a foreign writer. The unsent events
// of the job stay until a poll has answered, which replaces them; that refresh is pending from now on. A job that the
// store did not know, and of whose end the stream tells all, needs none.
func (s *Store) Adopt(id job.ID, f event.Fold) error {
	return s.update(func(tx *bbolt.Tx) error {
		r, snapshot, err := readRecord(tx, id)
		if err != nil {
			return err
		}
		unknown := r.Revision == 0
		r.Revision++
		r.Told, r.Sequence = f.Told, f.Last.Number()
		r.setMisses(Misses{}) // the foreign writer may have seen it
		r.AckedID, r.Acked, r.Stream = f.Last.ID, f.Last.Number(), f.Stream
		r.Asked, r.Updated = nanos(f.Asked), nanos(f.Snapshot.Updated())
		r.LastProgress = 0 // the snapshot stored may be older than its stall
		r.RefreshPending = !unknown || !toldCompletely(id, f)
		if unknown && !id.IsCommCell() {
			r.Terminal, r.LastProgress = f.Snapshot.Terminal, nanos(f.Last.Time)
			if snapshot, err = encodeSnapshot(&f.Snapshot); err != nil {
				return err
			}
		}
		if r.RefreshPending && !id.IsCommCell() {
			if err := trackForRefresh(tx, id); err != nil {
				return err
			}
			tx.OnCommit(func() { s.setRefreshPending(id, !unknown) })
		}
		return writeRecord(tx, id, r, snapshot)
	})
}

// RefreshPending says whether a job was adopted since the store was opened, and no poll has answered since: a list sweep,
// which does not poll every job, polls this one.
func (s *Store) RefreshPending(id job.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, pending := s.refresh[id]
	return pending
}

// setRefreshPending is called as the transactions that mark and unmark a job are committed, which come one after the other.
func (s *Store) setRefreshPending(id job.ID, pending bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if pending {
		s.refresh[id] = struct{}{}
	} else {
		delete(s.refresh, id)
	}
}

// toldCompletely says whether the stream alone tells all that there is to tell of a job.
func toldCompletely(id job.ID, f event.Fold) bool {
	if id.IsCommCell() {
		return true
	}
	machines := f.Snapshot.VMs == nil || f.Snapshot.VMs.Failed <= len(f.Told.VMs)
	return f.Snapshot.Terminal && machines && len(diff.Since(f.Told, &f.Snapshot)) == 0
}
