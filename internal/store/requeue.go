package store

import (
	"bytes"
	"encoding/binary"
	"time"

	"go.etcd.io/bbolt"

	"jobwatch/internal/job"
)

// Fate is what becomes of an event that is retained, when the stream has lost something.
type Fate int

const (
	Stays       Fate = iota // it is in the stream, as far as is known
	Resequenced             // the stream has it, or a later one of its job, at another position: Loss.Last's
	Resend                  // it is sent again
	Dropped                 // the stream tells something else in its place
)

// Loss says what the stream has lost.
type Loss struct {
	Fate func(Retained) Fate
	Last func(job.ID) Acknowledged // the last event that the stream holds of a job; the zero one: none
}

// Requeue puts the events that are to be sent again into the outbox, in the order of their sequences, and makes the
// jobs' next publishes expect what the stream still holds. Events of a job of which a refresh is pending are dropped:
// that poll replaces them. It may be broken off and repeated.
func (s *Store) Requeue(loss Loss) (events int, err error) {
	for from := []byte{0}; from != nil; {
		var rows []retainedRow
		if rows, from, err = s.decide(from, loss); err != nil {
			return events, err
		}
		requeued, err := s.requeueBatch(rows, loss)
		events += requeued
		if err != nil {
			return events, err
		}
	}
	return events, nil
}

// ResetHighest leaves out of HighestRetained the events that were acknowledged until now.
func (s *Store) ResetHighest() error {
	return s.update(func(tx *bbolt.Tx) error {
		last := tx.Bucket(sentBucket).Sequence()
		return tx.Bucket(metaBucket).Put(retainedSinceKey, binary.BigEndian.AppendUint64(nil, last))
	})
}

// Retains says whether events of a job may be retained.
func (s *Store) Retains(id job.ID) (retains bool, err error) {
	err = s.view(func(tx *bbolt.Tx) error {
		r, _, err := readRecord(tx, id)
		retains = s.retains(r)
		return err
	})
	return retains, err
}

func (s *Store) retains(r record) bool {
	return r.AckedAt > 0 && time.Since(fromNanos(r.AckedAt)) < s.KeepSent
}

// retainedRow is a retained event, and what is to become of it.
type retainedRow struct {
	key  []byte
	fate Fate
}

// decide reads a batch of the rows that do not stay as they are, and where the next batch begins; nil: there is none.
func (s *Store) decide(from []byte, loss Loss) (rows []retainedRow, next []byte, err error) {
	err = s.view(func(tx *bbolt.Tx) error {
		c := tx.Bucket(sentBucket).Cursor()
		for key, value := c.Seek(from); key != nil; key, value = c.Next() {
			if len(rows) == retainedBatch {
				next = bytes.Clone(key)
				return nil
			}
			k, _ := parseRetained(key, value)
			if fate := loss.Fate(k); fate != Stays {
				rows = append(rows, retainedRow{bytes.Clone(key), fate})
			}
		}
		return nil
	})
	return rows, next, err
}

// requeueBatch changes a batch of rows in one transaction.
func (s *Store) requeueBatch(rows []retainedRow, loss Loss) (events int, err error) {
	if len(rows) == 0 {
		return 0, nil
	}
	var retained tally
	var added map[job.ID]int
	err = s.update(func(tx *bbolt.Tx) error {
		retained, added = tally{}, map[job.ID]int{}
		for _, row := range rows {
			if err := requeueRow(tx, row, loss.Last, added, &retained); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	s.retained.add(retained)
	for id, count := range added {
		events += count
		s.outboxChanged(id, count, 0)
	}
	return events, nil
}

func requeueRow(tx *bbolt.Tx, row retainedRow, last func(job.ID) Acknowledged, added map[job.ID]int, retained *tally) error {
	sent := tx.Bucket(sentBucket)
	value := sent.Get(row.key)
	if value == nil {
		return nil // pruned meanwhile
	}
	k, _ := parseRetained(row.key, value)
	if row.fate == Resequenced {
		return sent.Put(row.key, retainedValue(binary.BigEndian.Uint64(value), last(k.Job).Stream|approximate, k.row))
	}
	if row.fate == Resend {
		resend, err := follow(tx, k, last(k.Job))
		if err != nil {
			return err
		}
		if resend {
			if err := tx.Bucket(outboxBucket).Put(row.key[8:], bytes.Clone(k.row)); err != nil {
				return err
			}
			added[k.Job]++
		}
	}
	retained.add(-1, row.key, value)
	return sent.Delete(row.key)
}

// follow makes a job's next publish expect what the stream holds, so that a retained event can be sent again; false if a
// poll of the job will replace what is held, the job is not known any more, or another event has the sequence.
func follow(tx *bbolt.Tx, k Retained, last Acknowledged) (bool, error) {
	r, snapshot, err := readRecord(tx, k.Job)
	if err != nil || r.Revision == 0 || r.RefreshPending || k.Sequence > r.Sequence {
		return false, err
	}
	if tx.Bucket(outboxBucket).Get(outboxKey(k.Job, k.Sequence)) != nil {
		return false, nil
	}
	if k.Sequence > r.Acked {
		return true, nil // one before it has been requeued
	}
	r.AckedID, r.Acked, r.Stream = last.ID, k.Sequence-1, last.Stream
	return true, writeRecord(tx, k.Job, r, snapshot)
}
