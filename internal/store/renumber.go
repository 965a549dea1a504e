package store

import (
	"encoding/json"

	"go.etcd.io/bbolt"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
)

// Renumber lets the unsent events of a job follow those of an earlier job with the same number: Commvault has reused the
// id, and the store has forgotten the earlier job, which the stream still holds. No foreign writer has told anything of
// the later one, so its events stand as they are. It does nothing, and gives false, where the two may be one job, or
// where an event was sent already.
func (s *Store) Renumber(id job.ID, f event.Fold) (renumbered bool, err error) {
	err = s.view(func(tx *bbolt.Tx) error {
		_, _, renumbered, err = renumbers(tx, id, f)
		return err
	})
	if err != nil || !renumbered {
		return false, err
	}
	err = s.update(func(tx *bbolt.Tx) (err error) {
		var r record
		var line []byte
		if r, line, renumbered, err = renumbers(tx, id, f); err != nil || !renumbered {
			return err
		}
		renumbered, err = renumber(tx, id, r.Sequence, f.Last.Number())
		if err != nil || !renumbered {
			return err
		}
		r.Revision++
		r.Sequence += f.Last.Number()
		r.AckedID, r.Acked, r.Stream = f.Last.ID, f.Last.Number(), f.Stream
		return writeRecord(tx, id, r, line)
	})
	return renumbered && err == nil, err
}

// renumbers says whether a job's unsent events are those of a later job than the stream's, and gives its record.
func renumbers(tx *bbolt.Tx, id job.ID, f event.Fold) (r record, line []byte, another bool, err error) {
	r, line, err = readRecord(tx, id)
	if err != nil || r.Acked > 0 || r.RefreshPending || len(line) == 0 {
		return r, line, false, err
	}
	held, err := decodeSnapshot(line)
	return r, line, err == nil && laterJob(&held, f), err
}

// laterJob says whether the snapshot is of another job than the stream's, and a later one.
func laterJob(held *job.Snapshot, f event.Fold) bool {
	waited := !f.Snapshot.Terminal && job.LookUp(f.Told.State, false).Class == job.Queued
	return !waited && held.BeganAfter(f.Snapshot.Updated())
}

// renumber puts a job's rows, 1 to last, behind a sequence. The first has to tell the job's first state.
func renumber(tx *bbolt.Tx, id job.ID, last, behind uint64) (bool, error) {
	outbox := tx.Bucket(outboxBucket)
	if !holdsAll(tx, id, last) {
		return false, nil
	}
	for sequence := last; sequence > 0; sequence-- { // the last one first: none is overwritten
		e, err := event.Parse(outbox.Get(outboxKey(id, sequence)))
		if err != nil {
			return false, err
		}
		if sequence == last && !tellsFirstState(outbox.Get(outboxKey(id, 1))) {
			return false, nil
		}
		moved, err := json.Marshal(e.Numbered(behind + sequence))
		if err != nil {
			return false, err
		}
		if err := outbox.Delete(outboxKey(id, sequence)); err != nil {
			return false, err
		}
		if err := outbox.Put(outboxKey(id, behind+sequence), moved); err != nil {
			return false, err
		}
	}
	return last > 0, nil
}

// holdsAll says whether none is missing: of those that a stream has lost, not all may have been retained.
func holdsAll(tx *bbolt.Tx, id job.ID, last uint64) bool {
	for sequence := uint64(1); sequence <= last; sequence++ {
		if tx.Bucket(outboxBucket).Get(outboxKey(id, sequence)) == nil {
			return false
		}
	}
	return true
}

func tellsFirstState(row []byte) bool {
	e, err := event.Parse(row)
	if err != nil {
		return false
	}
	data, err := e.Job()
	return err == nil && data.Change.Kind == job.KindState && data.Change.From == ""
}
