package store

import (
	"bytes"
	"encoding/binary"
	"time"

	"go.etcd.io/bbolt"

	"jobwatch/internal/job"
)

// Fate is what becomes of an event that is kept, when the stream has lost something.
type Fate int

const (
	Stays       Fate = iota // it is in the stream, as far as we know
	Resequenced             // the stream has it, or a later one of its job, where Lost.Last says
	Resend                  // it is sent again
	Dropped                 // the stream tells something else in its place
)

// Loss says what the stream has lost.
type Loss struct {
	Fate func(Retained) Fate
	Last func(job.ID) Sent // the last event that the stream holds of a job; the zero Sent: none
}

// Requeue puts the events that are to be sent again into the outbox, in the order of their sequences, and has the
// jobs' next publishes follow what the stream still holds. Events of a job that is owed a look are dropped: that look
// replaces what is held. It may be broken off and repeated.
func (s *Store) Requeue(lost Loss) (events int, err error) {
	for from := []byte{0}; from != nil; {
		var rows []keptRow
		if rows, from, err = s.fated(from, lost); err != nil {
			return events, err
		}
		moved, err := s.putBack(rows, lost)
		events += moved
		if err != nil {
			return events, err
		}
	}
	return events, nil
}

// ResetHighest takes for granted where the events kept until now stand: what HighestRetained gives is acknowledged later.
func (s *Store) ResetHighest() error {
	return s.update(func(tx *bbolt.Tx) error {
		last := tx.Bucket(sentBucket).Sequence()
		return tx.Bucket(metaBucket).Put(keptSinceKey, binary.BigEndian.AppendUint64(nil, last))
	})
}

// Retains says whether events of a job may be kept.
func (s *Store) Retains(id job.ID) (keeps bool, err error) {
	err = s.view(func(tx *bbolt.Tx) error {
		r, _, err := readRecord(tx, id)
		keeps = s.keeps(r)
		return err
	})
	return keeps, err
}

func (s *Store) keeps(r record) bool {
	return r.AckedAt > 0 && time.Since(fromNanos(r.AckedAt)) < s.KeepSent
}

// keptRow is an event kept, and what is to become of it.
type keptRow struct {
	key  []byte
	fate Fate
}

// fated reads a batch of the rows that do not stay as they are, and where the next one begins; nil: there is none.
func (s *Store) fated(from []byte, lost Loss) (rows []keptRow, next []byte, err error) {
	err = s.view(func(tx *bbolt.Tx) error {
		c := tx.Bucket(sentBucket).Cursor()
		for key, value := c.Seek(from); key != nil; key, value = c.Next() {
			if len(rows) == keptBatch {
				next = bytes.Clone(key)
				return nil
			}
			k, _ := parseKept(key, value)
			if fate := lost.Fate(k); fate != Stays {
				rows = append(rows, keptRow{bytes.Clone(key), fate})
			}
		}
		return nil
	})
	return rows, next, err
}

// putBack changes a batch of rows in one transaction.
func (s *Store) putBack(rows []keptRow, lost Loss) (events int, err error) {
	if len(rows) == 0 {
		return 0, nil
	}
	var kept tally
	var added map[job.ID]int
	err = s.update(func(tx *bbolt.Tx) error {
		kept, added = tally{}, map[job.ID]int{}
		for _, row := range rows {
			if err := putBackRow(tx, row, lost.Last, added, &kept); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	s.kept.add(kept)
	for id, count := range added {
		events += count
		s.owe(id, count, 0)
	}
	return events, nil
}

func putBackRow(tx *bbolt.Tx, row keptRow, last func(job.ID) Sent, added map[job.ID]int, kept *tally) error {
	sent := tx.Bucket(sentBucket)
	value := sent.Get(row.key)
	if value == nil {
		return nil // it became too old meanwhile
	}
	k, _ := parseKept(row.key, value)
	if row.fate == Resequenced {
		return sent.Put(row.key, keptValue(binary.BigEndian.Uint64(value), last(k.Job).Stream|near, k.row))
	}
	if row.fate == Resend {
		again, err := follow(tx, k, last(k.Job))
		if err != nil {
			return err
		}
		if again {
			if err := tx.Bucket(outboxBucket).Put(row.key[8:], bytes.Clone(k.row)); err != nil {
				return err
			}
			added[k.Job]++
		}
	}
	kept.add(-1, row.key, value)
	return sent.Delete(row.key)
}

// follow has a job's next publish follow what the stream holds, so that a kept event can be sent again; false if a
// look at the job will replace what is held, nobody knows the job any more, or its place is taken.
func follow(tx *bbolt.Tx, k Retained, last Sent) (bool, error) {
	r, snapshot, err := readRecord(tx, k.Job)
	if err != nil || r.Revision == 0 || r.RefreshPending || k.Sequence > r.Sequence {
		return false, err
	}
	if tx.Bucket(outboxBucket).Get(outboxKey(k.Job, k.Sequence)) != nil {
		return false, nil // another one has come in its place
	}
	if k.Sequence > r.Acked {
		return true, nil // one before it has been put back
	}
	r.AckedID, r.Acked, r.Stream = last.ID, k.Sequence-1, last.Stream
	return true, writeRecord(tx, k.Job, r, snapshot)
}
