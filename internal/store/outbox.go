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

// Unsent is the oldest event of a job that the broker has not acknowledged.
type Unsent struct {
	Event  event.Event
	Row    []byte // the event as it is published
	Expect uint64 // the stream's last sequence of the job, as far as we know
}

// Oldest reads what is to be sent next of a job; false if there is nothing, or if another watcher
// spoke and a look is owed first.
func (s *Store) Oldest(id job.ID) (Unsent, bool, error) {
	var oldest Unsent
	found := false
	err := s.db.View(func(tx *bbolt.Tx) error {
		r, _, err := readRecord(tx, id)
		if err != nil || r.Owed {
			return err
		}
		key, row := tx.Bucket(outboxBucket).Cursor().Seek(outboxKey(id, 0))
		if !bytes.HasPrefix(key, jobKey(id)) {
			return nil
		}
		found = true
		oldest = Unsent{Row: bytes.Clone(row), Expect: r.Stream}
		if oldest.Event, err = event.Parse(oldest.Row); err != nil {
			return illegible(tx, id, "its unsent event", err)
		}
		return nil
	})
	return oldest, found && err == nil, err
}

// Unsent counts the events that wait for the broker.
func (s *Store) Unsent() int64 { return s.unsent.Load() }

// Waiting lists the jobs that have unsent events.
func (s *Store) Waiting() ([]job.ID, error) {
	var ids []job.ID
	err := s.db.View(func(tx *bbolt.Tx) error {
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

// TakeFresh lists the jobs that got events since it was last called.
func (s *Store) TakeFresh() []job.ID {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := slices.Collect(maps.Keys(s.fresh))
	clear(s.fresh)
	return ids
}

// owe notes what a commit has added to the outbox and dropped from it, and wakes the publisher.
func (s *Store) owe(id job.ID, added, dropped int) {
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
	c := tx.Bucket(outboxBucket).Cursor()
	for key, _ := c.Seek(outboxKey(id, 0)); bytes.HasPrefix(key, jobKey(id)) && keySequence(key) <= upTo; key, _ = c.Seek(outboxKey(id, 0)) {
		if err := c.Delete(); err != nil {
			return dropped, err
		}
		dropped++
	}
	return dropped, nil
}
