package store

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"

	"go.etcd.io/bbolt"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
)

// Due is what is to be sent next of a job.
type Due struct {
	Rows   []Row  // the oldest first; none if nothing waits, or while a refresh is pending
	Expect uint64 // the stream's last sequence of the job, as far as we know
}

// Row is an event as it is published.
type Row struct {
	Sequence uint64 // of the job's events
	Event    []byte
}

const dueBytes = 64 << 10 // of a job's rows that are read at once; at least one is

// Due reads what is to be sent next of a job, not always all of it.
func (s *Store) Due(id job.ID) (due Due, err error) {
	err = s.view(func(tx *bbolt.Tx) error {
		if nextUnsent(tx, id) == 0 {
			return nil
		}
		r, _, err := readRecord(tx, id)
		if err != nil || r.RefreshPending {
			return err
		}
		due = Due{readRows(tx, id), r.Stream}
		return nil
	})
	return due, err
}

func readRows(tx *bbolt.Tx, id job.ID) (rows []Row) {
	c, prefix, size := tx.Bucket(outboxBucket).Cursor(), jobKey(id), 0
	for key, row := c.Seek(prefix); bytes.HasPrefix(key, prefix) && size < dueBytes; key, row = c.Next() {
		rows = append(rows, Row{keySequence(key), bytes.Clone(row)})
		size += len(row)
	}
	return rows
}

// Unsent counts the events that wait for the broker.
func (s *Store) Unsent() int64 { return s.unsent.Load() }

// Waiting lists the jobs that have unsent events.
func (s *Store) Waiting() ([]job.ID, error) {
	var ids []job.ID
	err := s.view(func(tx *bbolt.Tx) error {
		c := tx.Bucket(outboxBucket).Cursor()
		for key, _ := c.First(); key != nil; {
			id := parseKey(key, 8)
			ids = append(ids, id)
			key, _ = c.Seek(outboxKey(job.ID{CommCell: id.CommCell, Number: id.Number + 1}, 0))
		}
		return nil
	})
	return ids, err
}

// Wake yields a token when jobs have new events; TakeFresh says which.
func (s *Store) Wake() <-chan struct{} { return s.wake }

// TakeFresh lists the jobs that got events since it was last called, in their order: neighbours share pages.
func (s *Store) TakeFresh() []job.ID {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := slices.SortedFunc(maps.Keys(s.fresh), job.Compare)
	clear(s.fresh)
	return ids
}

// outboxChanged counts what a commit has added to the outbox and dropped from it, and wakes the publisher.
func (s *Store) outboxChanged(id job.ID, added, dropped int) {
	s.unsent.Add(int64(added - dropped))
	if added == 0 {
		return
	}
	s.mu.Lock()
	s.fresh[id] = struct{}{}
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// nextUnsent is the sequence of a job's oldest row; 0: it has none.
func nextUnsent(tx *bbolt.Tx, id job.ID) uint64 {
	key, _ := tx.Bucket(outboxBucket).Cursor().Seek(outboxKey(id, 0))
	if !bytes.HasPrefix(key, jobKey(id)) {
		return 0
	}
	return keySequence(key)
}

func encodeRows(events []event.Event) ([][]byte, error) {
	rows := make([][]byte, len(events))
	for i, e := range events {
		row, err := json.Marshal(e)
		if err != nil {
			return nil, err
		}
		rows[i] = row
	}
	return rows, nil
}

// putRows appends rows to the outbox behind a sequence.
func putRows(tx *bbolt.Tx, id job.ID, behind uint64, rows [][]byte) error {
	for i, row := range rows {
		if err := tx.Bucket(outboxBucket).Put(outboxKey(id, behind+uint64(i)+1), row); err != nil {
			return err
		}
	}
	return nil
}

// dropRows deletes a job's rows up to a sequence and counts them.
func dropRows(tx *bbolt.Tx, id job.ID, upTo uint64) (int, error) {
	dropped := 0
	c, prefix := tx.Bucket(outboxBucket).Cursor(), jobKey(id)
	for key, _ := c.Seek(prefix); bytes.HasPrefix(key, prefix) && keySequence(key) <= upTo; key, _ = c.Seek(prefix) {
		if err := c.Delete(); err != nil {
			return dropped, err
		}
		dropped++
	}
	return dropped, nil
}
