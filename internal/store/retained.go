package store

import (
	"bytes"
	"encoding/binary"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
)

// maxRetainedBytes bounds what is retained: a broker that forgets two minutes has lost 50 MB at 200 events a second.
const maxRetainedBytes = 256 << 20

// Retained is an event that the broker has acknowledged, retained in case it forgets it.
type Retained struct {
	Job      job.ID
	Sequence uint64
	Stream   uint64 // its sequence in the stream, or one that it does not lie behind
	row      []byte // valid while it is shown only
}

// ID reads the event's id.
func (k Retained) ID() (string, error) {
	e, err := event.Parse(k.row)
	return e.ID, err
}

// tally counts the rows retained, and the bytes that they and their keys take.
type tally struct{ rows, bytes int64 }

func (t *tally) add(sign int64, key, value []byte) {
	t.rows += sign
	t.bytes += sign * int64(len(key)+len(value))
}

type atomicTally struct{ rows, bytes atomic.Int64 }

func (t *atomicTally) add(change tally) {
	t.rows.Add(change.rows)
	t.bytes.Add(change.bytes)
}

const (
	retainedHead = 16      // bytes before the event: when it was acknowledged, and its position
	approximate  = 1 << 63 // in a position: it stands there or before
)

func retainedKey(order uint64, outboxKey []byte) []byte {
	return append(binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(outboxKey)), order), outboxKey...)
}

func retainedValue(acknowledged, position uint64, row []byte) []byte {
	value := make([]byte, 0, retainedHead+len(row))
	value = binary.BigEndian.AppendUint64(value, acknowledged)
	value = binary.BigEndian.AppendUint64(value, position)
	return append(value, row...)
}

func parseRetained(key, value []byte) (k Retained, exact bool) {
	position := binary.BigEndian.Uint64(value[8:])
	return Retained{
		Job: parseKey(key[8:], 8), Sequence: keySequence(key), Stream: position &^ approximate, row: value[retainedHead:],
	}, position&approximate == 0
}

// retain copies a job's unsent rows, up to the last that was acknowledged, to those retained: the broker has those named
// under the stream sequences given, and the others before them. It drops the oldest where they take too much.
func (s *Store) retain(tx *bbolt.Tx, id job.ID, acked []Acked) (retained tally, err error) {
	sent := tx.Bucket(sentBucket)
	sent.FillPercent = 1 // it only grows at its end
	now := uint64(time.Now().UnixNano())
	c, prefix, upTo := tx.Bucket(outboxBucket).Cursor(), jobKey(id), acked[len(acked)-1].Sequence
	for key, row := c.Seek(prefix); bytes.HasPrefix(key, prefix) && keySequence(key) <= upTo; key, row = c.Next() {
		for keySequence(key) > acked[0].Sequence {
			acked = acked[1:]
		}
		position := acked[0].Stream
		if keySequence(key) < acked[0].Sequence {
			position |= approximate
		}
		order, err := sent.NextSequence()
		if err != nil {
			return retained, err
		}
		key, value := retainedKey(order, key), retainedValue(now, position, row)
		if err := sent.Put(key, value); err != nil {
			return retained, err
		}
		retained.add(1, key, value)
	}
	over := s.retained.bytes.Load() + retained.bytes - s.maxRetained
	if over <= 0 {
		return retained, nil
	}
	dropped, err := dropRetained(tx, 2*int(retained.rows), func(at time.Time, dropped tally) bool { return dropped.bytes < over })
	return tally{retained.rows - dropped.rows, retained.bytes - dropped.bytes}, err
}

// dropRetained drops the oldest rows retained, at most so many, while drop says so.
func dropRetained(tx *bbolt.Tx, most int, drop func(acknowledged time.Time, dropped tally) bool) (dropped tally, err error) {
	var keys [][]byte
	c := tx.Bucket(sentBucket).Cursor()
	for key, value := c.First(); key != nil && len(keys) < most && drop(acknowledgedAt(value), dropped); key, value = c.Next() {
		keys = append(keys, bytes.Clone(key))
		dropped.add(1, key, value)
	}
	for _, key := range keys {
		if err := tx.Bucket(sentBucket).Delete(key); err != nil {
			return tally{}, err
		}
	}
	return dropped, nil
}

func acknowledgedAt(value []byte) time.Time { return fromNanos(int64(binary.BigEndian.Uint64(value))) }

const retainedBatch = 500 // rows changed in one transaction; others wait for it

// Prune drops the events that were retained for KeepSent. Where none is due, nothing is written.
func (s *Store) Prune() error {
	before := time.Now().Add(-s.KeepSent)
	due := func(at time.Time, _ tally) bool { return at.Before(before) }
	for {
		var any bool
		err := s.view(func(tx *bbolt.Tx) error {
			key, value := tx.Bucket(sentBucket).Cursor().First()
			any = key != nil && due(acknowledgedAt(value), tally{})
			return nil
		})
		if err != nil || !any {
			return err
		}
		var dropped tally
		err = s.update(func(tx *bbolt.Tx) (err error) {
			dropped, err = dropRetained(tx, retainedBatch, due)
			return err
		})
		if err != nil {
			return err
		}
		s.retained.add(tally{-dropped.rows, -dropped.bytes})
	}
}

// EachRetained shows the events retained, in the order of their acknowledgements. show may not use the store.
func (s *Store) EachRetained(show func(Retained) error) error {
	return s.view(func(tx *bbolt.Tx) error {
		return tx.Bucket(sentBucket).ForEach(func(key, value []byte) error {
			k, _ := parseRetained(key, value)
			return show(k)
		})
	})
}

// recent is among how many of the last acknowledgements the highest position is looked for: more than are ever in
// flight at once.
const recent = 1000

// HighestRetained is the event of the highest stream sequence that was acknowledged since the stream was last found
// to have lost something; sequence 0: none is retained.
func (s *Store) HighestRetained() (eventID string, stream uint64, err error) {
	err = s.view(func(tx *bbolt.Tx) error {
		var highest Retained
		since := readNumber(tx, retainedSinceKey)
		c := tx.Bucket(sentBucket).Cursor()
		seen := 0
		for key, value := c.Last(); key != nil && binary.BigEndian.Uint64(key) > since && seen < recent; key, value = c.Prev() {
			seen++
			if k, exact := parseRetained(key, value); exact && k.Stream > highest.Stream {
				highest = k
			}
		}
		if highest.Stream == 0 {
			return nil
		}
		stream = highest.Stream
		eventID, err = highest.ID()
		return err
	})
	return eventID, stream, err
}

func (s *Store) countRetained() error {
	var retained tally
	err := s.view(func(tx *bbolt.Tx) error {
		return tx.Bucket(sentBucket).ForEach(func(key, value []byte) error {
			retained.add(1, key, value)
			return nil
		})
	})
	s.retained.add(retained)
	return err
}
