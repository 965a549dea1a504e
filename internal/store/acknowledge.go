package store

import (
	"errors"
	"time"

	"go.etcd.io/bbolt"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
)

// Acknowledged is how far a job has come in the stream, by the broker's acknowledgements.
type Acknowledged struct {
	ID       string // of the last acknowledged event; "" for none
	Sequence uint64 // its sequence, or what lies before our next one
	Stream   uint64 // the stream's last sequence of the job
	Known    bool   // the store knows the job at all
}

// Acknowledged reads how far a job has come.
func (s *Store) Acknowledged(id job.ID) (Acknowledged, error) {
	var sent Acknowledged
	err := s.view(func(tx *bbolt.Tx) error {
		r, _, err := readRecord(tx, id)
		sent = Acknowledged{ID: r.AckedID, Sequence: r.Acked, Stream: r.Stream, Known: r.Revision > 0}
		if next := nextUnsent(tx, id); next > 0 {
			sent.Sequence = max(sent.Sequence, next-1) // a foreign event may have filled what was not retained
		}
		return err
	})
	return sent, err
}

// Minted says whether an event was made by this process.
func (s *Store) Minted(eventID string) bool { return s.mint.Minted(eventID) }

// Fold gives what the events of a job have told, up to the last one acknowledged, to go on from; false where the store
// cannot say: it knows none, or has counted events that are not in the stream yet.
func (s *Store) Fold(id job.ID) (f event.Fold, known bool, err error) {
	err = s.view(func(tx *bbolt.Tx) error {
		r, _, err := readRecord(tx, id)
		if err != nil || r.AckedID == "" || r.Acked != r.Sequence {
			return err
		}
		known = true
		f = event.Fold{Told: r.Told, Last: event.Event{ID: r.AckedID}.Numbered(r.Acked), Stream: r.Stream}
		return nil
	})
	return f, known, err
}

// Epoch is what the ids of this process's events begin with.
func (s *Store) Epoch() string { return s.mint.Epoch() }

// Holds says whether an event of a job waits in the outbox under its sequence and id.
func (s *Store) Holds(id job.ID, e event.Event) (bool, error) {
	holds := false
	err := s.view(func(tx *bbolt.Tx) error {
		row := tx.Bucket(outboxBucket).Get(outboxKey(id, e.Number()))
		if row == nil {
			return nil
		}
		held, err := event.Parse(row)
		holds = held.ID == e.ID
		return err
	})
	return holds, err
}

// Acked is an event that the broker has acknowledged.
type Acked struct {
	ID       string
	Sequence uint64 // of the job's events
	Stream   uint64 // sequence in the stream
}

// Acknowledge takes an event, and with it all before it, from the outbox: the broker has it under
// the stream sequence given.
func (s *Store) Acknowledge(id job.ID, e event.Event, stream uint64) error {
	return s.AcknowledgeAll(id, []Acked{{e.ID, e.Number(), stream}})
}

// AcknowledgeAll acknowledges events of a job, which come in the order of their sequences, in one transaction.
func (s *Store) AcknowledgeAll(id job.ID, acked []Acked) error {
	dropped, retained := 0, tally{}
	last := acked[len(acked)-1]
	err := s.change(id, func(tx *bbolt.Tx, r *record) (err error) {
		if r.RefreshPending || last.Sequence <= r.Acked {
			return nil
		}
		r.AckedID, r.Acked, r.Stream = last.ID, last.Sequence, last.Stream
		if s.KeepSent > 0 {
			r.AckedAt = time.Now().UnixNano()
			if retained, err = s.retain(tx, id, acked); err != nil {
				return err
			}
		}
		dropped, err = dropRows(tx, id, last.Sequence)
		return err
	})
	if err == nil {
		s.retained.add(retained)
		s.outboxChanged(id, 0, dropped)
	}
	return err
}

// Expect notes the stream's last sequence of a job, for the next publish.
func (s *Store) Expect(id job.ID, stream uint64) error {
	return s.change(id, func(_ *bbolt.Tx, r *record) error {
		r.Stream = stream
		return nil
	})
}

var errUnknown = errors.New("not in the store")

// change rewrites a job's record and leaves its snapshot.
func (s *Store) change(id job.ID, edit func(*bbolt.Tx, *record) error) error {
	return s.update(func(tx *bbolt.Tx) error {
		r, snapshot, err := readRecord(tx, id)
		if err != nil {
			return err
		}
		if r.Revision == 0 {
			return errUnknown
		}
		if err := edit(tx, &r); err != nil {
			return err
		}
		return writeRecord(tx, id, r, snapshot)
	})
}
