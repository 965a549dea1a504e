package store

import (
	"maps"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"jobwatch/internal/diff"
	"jobwatch/internal/event"
	"jobwatch/internal/job"
)

// Adopt takes what the stream has told of a job for what was told: it holds events of a foreign writer. The unsent events
// of the job stay until a poll has answered, which replaces them; that refresh is pending from now on. A job that the
// store did not know, and of whose end the stream tells all, needs none.
func (s *Store) Adopt(id job.ID, f event.Fold) error { return s.adopt(id, f, false) }

// StandBy is Adopt for a job that another watcher polls. A refresh is pending only where events are held, which a poll has
// to replace, or where the stream tells less than its last event shows: whoever polls the job next tells that.
func (s *Store) StandBy(id job.ID, f event.Fold) error { return s.adopt(id, f, true) }

func (s *Store) adopt(id job.ID, f event.Fold, standingBy bool) error {
	return s.update(func(tx *bbolt.Tx) error {
		r, snapshot, err := readRecord(tx, id)
		if err != nil {
			return err
		}
		a := adoption{id: id, fold: f, standingBy: standingBy, unknown: r.Revision == 0, holds: nextUnsent(tx, id) > 0}
		r.Revision++
		r.Told, r.Sequence = f.Told, f.Last.Number()
		r.setMisses(Misses{}) // the foreign writer may have seen it
		r.AckedID, r.Acked, r.Stream = f.Last.ID, f.Last.Number(), f.Stream
		r.Asked, r.Updated = nanos(f.Asked), nanos(f.Snapshot.Updated())
		r.LastProgress = 0 // the snapshot stored may be older than its stall
		r.RefreshPending = a.needsRefresh()
		if !id.IsCommCell() && !a.heldIsNewer(snapshot) {
			r.Terminal, r.Digest, r.LastProgress = f.Snapshot.Terminal, Digest(&f.Snapshot), nanos(f.Last.Time)
			if snapshot, err = encodeSnapshot(&f.Snapshot); err != nil {
				return err
			}
		}
		if err := a.track(tx, r.RefreshPending); err != nil {
			return err
		}
		tx.OnCommit(func() {
			s.setRefreshPending(id, r.RefreshPending && !a.unknown && !id.IsCommCell())
			if r.RefreshPending && a.holds {
				s.announceHeld()
			}
		})
		return writeRecord(tx, id, r, snapshot)
	})
}

// adoption is what the stream tells of a job, and what the store had of it.
type adoption struct {
	id         job.ID
	fold       event.Fold
	standingBy bool
	unknown    bool
	holds      bool // unsent events
}

func (a *adoption) needsRefresh() bool {
	switch {
	case a.id.IsCommCell():
		return !a.unknown && (a.holds || !a.standingBy)
	case a.standingBy:
		return a.holds || !toldWhole(&a.fold)
	}
	return !a.unknown || !a.toldToTheEnd()
}

// heldIsNewer says whether what is held of the job may have been seen after what the stream's last event shows. Where
// nothing is held unsent, all of it was told before that event.
func (a *adoption) heldIsNewer(snapshot []byte) bool {
	if !a.holds || len(snapshot) == 0 {
		return false
	}
	held, err := decodeSnapshot(snapshot)
	if err != nil {
		return false
	}
	ours, theirs := held.Updated(), a.fold.Snapshot.Updated()
	return ours.IsZero() || theirs.IsZero() || !ours.Before(theirs)
}

// toldToTheEnd says whether the stream alone tells all that there is to tell of a job.
func (a *adoption) toldToTheEnd() bool {
	return !a.id.IsCommCell() && a.fold.Snapshot.Terminal && toldWhole(&a.fold)
}

// toldWhole says whether the stream tells all that its last event of a job shows.
func toldWhole(f *event.Fold) bool {
	machines := f.Snapshot.VMs == nil || f.Snapshot.VMs.Failed <= len(f.Told.VMs)
	return machines && len(diff.Since(f.Told, &f.Snapshot)) == 0
}

// ClosingIn is how long after its end an adopted job still gets the final poll: longer than whoever told the end waits
// before that, so that it is not forgotten where he is gone by then.
const ClosingIn = 10 * time.Minute

// track says for what the job is polled from now on, or by whom polls it next.
func (a *adoption) track(tx *bbolt.Tx, pending bool) error {
	tracked := tx.Bucket(trackedBucket)
	why := Why(tracked.Get(jobKey(a.id)))
	ended := a.toldToTheEnd()
	switch {
	case a.id.IsCommCell(), why == Configured, why == Untracked:
		return nil
	case pending:
		return trackForRefresh(tx, a.id)
	case ended && time.Since(a.fold.Last.Time) < ClosingIn:
		return tracked.Put(jobKey(a.id), []byte(FinalPoll))
	case a.standingBy && (ended || a.fold.Told.Lost):
		return tracked.Delete(jobKey(a.id))
	case a.standingBy:
		return trackForRefresh(tx, a.id)
	}
	return nil
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

// Held lists the jobs of a CommCell, itself among them, whose unsent events wait for a refresh.
func (s *Store) Held(commCell string) ([]job.ID, error) {
	if s.Unsent() == 0 {
		return nil, nil
	}
	waiting, err := s.Waiting()
	if err != nil {
		return nil, err
	}
	waiting = slices.DeleteFunc(waiting, func(id job.ID) bool { return id.CommCell != commCell })
	err = s.view(func(tx *bbolt.Tx) error {
		pending := map[job.ID]bool{}
		for _, id := range waiting {
			r, _, err := readRecord(tx, id)
			if err != nil {
				return err
			}
			if r.RefreshPending {
				pending[id] = true
			}
		}
		waiting = slices.SortedFunc(maps.Keys(pending), job.Compare)
		return nil
	})
	return waiting, err
}

// HeldChanged gives what is closed when unsent events of a job have come to wait for a refresh.
func (s *Store) HeldChanged() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.held
}

func (s *Store) announceHeld() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.held)
	s.held = make(chan struct{})
}
