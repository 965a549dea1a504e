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

// keepBytes bounds what is kept: two minutes of a broker's forgetting are 50 MB at 200 events a second.
const keepBytes = 256 << 20

// Retained is an event that the broker has acknowledged, kept in case it forgets it.
type Retained struct {
	Job      job.ID
	Sequence uint64
	Stream   uint64 // where it stands in the stream, or in front of what it stands
	row      []byte // valid while it is shown only
}

// ID reads the event's id.
func (k Retained) ID() (string, error) {
	e, err := event.Parse(k.row)
	return e.ID, err
}

// tally counts the rows kept, and the bytes that they and their keys take.
type tally struct{ rows, bytes int64 }

func (t *tally) add(sign int64, key, value []byte) {
	t.rows += sign
	t.bytes += sign * int64(len(key)+len(value))
}

type tallied struct{ rows, bytes atomic.Int64 }

func (t *tallied) add(change tally) {
	t.rows.Add(change.rows)
	t.bytes.Add(change.bytes)
}

const (
	keptHead = 16      // bytes before the event: when it was acknowledged, and its place
	near     = 1 << 63 // in a place: it stands there or before
)

func keptKey(order uint64, outboxKey []byte) []byte {
	return append(binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(outboxKey)), order), outboxKey...)
}

func keptValue(acknowledged, place uint64, row []byte) []byte {
	value := make([]byte, 0, keptHead+len(row))
	value = binary.BigEndian.AppendUint64(value, acknowledged)
	value = binary.BigEndian.AppendUint64(value, place)
	return append(value, row...)
}

func parseKept(key, value []byte) (k Retained, exact bool) {
	place := binary.BigEndian.Uint64(value[8:])
	return Retained{
		Job: parseKey(key[8:], 8), Sequence: keySequence(key), Stream: place &^ near, row: value[keptHead:],
	}, place&near == 0
}

// keep copies a job's unsent rows, up to the last that was acknowledged, to those kept: the broker has those named under
// the stream sequences given, and others before them. It lets go of the oldest where they take too much.
func (s *Store) keep(tx *bbolt.Tx, id job.ID, acked []Acked) (kept tally, err error) {
	sent := tx.Bucket(sentBucket)
	sent.FillPercent = 1 // it only grows at its end
	now := uint64(time.Now().UnixNano())
	c, prefix, upTo := tx.Bucket(outboxBucket).Cursor(), jobKey(id), acked[len(acked)-1].Sequence
	for key, row := c.Seek(prefix); bytes.HasPrefix(key, prefix) && keySequence(key) <= upTo; key, row = c.Next() {
		for keySequence(key) > acked[0].Sequence {
			acked = acked[1:]
		}
		place := acked[0].Stream
		if keySequence(key) < acked[0].Sequence {
			place |= near
		}
		order, err := sent.NextSequence()
		if err != nil {
			return kept, err
		}
		key, value := keptKey(order, key), keptValue(now, place, row)
		if err := sent.Put(key, value); err != nil {
			return kept, err
		}
		kept.add(1, key, value)
	}
	over := s.kept.bytes.Load() + kept.bytes - s.keepBytes
	if over <= 0 {
		return kept, nil
	}
	dropped, err := dropKept(tx, 2*int(kept.rows), func(at time.Time, dropped tally) bool { return dropped.bytes < over })
	return tally{kept.rows - dropped.rows, kept.bytes - dropped.bytes}, err
}

// dropKept drops the oldest rows kept, at most so many, while drop says so.
func dropKept(tx *bbolt.Tx, most int, drop func(acknowledged time.Time, dropped tally) bool) (dropped tally, err error) {
	var keys [][]byte
	c := tx.Bucket(sentBucket).Cursor()
	for key, value := c.First(); key != nil && len(keys) < most && drop(acknowledged(value), dropped); key, value = c.Next() {
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

func acknowledged(value []byte) time.Time { return fromNanos(int64(binary.BigEndian.Uint64(value))) }

const keptBatch = 500 // rows changed in one transaction; others wait for it

// Prune lets go of the events that were kept for KeepSent. Where none is due, nothing is written.
func (s *Store) Prune() error {
	before := time.Now().Add(-s.KeepSent)
	due := func(at time.Time, _ tally) bool { return at.Before(before) }
	for {
		var any bool
		err := s.view(func(tx *bbolt.Tx) error {
			key, value := tx.Bucket(sentBucket).Cursor().First()
			any = key != nil && due(acknowledged(value), tally{})
			return nil
		})
		if err != nil || !any {
			return err
		}
		var dropped tally
		err = s.update(func(tx *bbolt.Tx) (err error) {
			dropped, err = dropKept(tx, keptBatch, due)
			return err
		})
		if err != nil {
			return err
		}
		s.kept.add(tally{-dropped.rows, -dropped.bytes})
	}
}

// EachRetained shows the events kept, in the order of their acknowledgements. show may not use the store.
func (s *Store) EachRetained(show func(Retained) error) error {
	return s.view(func(tx *bbolt.Tx) error {
		return tx.Bucket(sentBucket).ForEach(func(key, value []byte) error {
			k, _ := parseKept(key, value)
			return show(k)
		})
	})
}

// recent is among how many of the last acknowledgements the highest place is looked for: more than are ever in
// flight at once.
const recent = 1000

// HighestRetained is the event of the highest stream sequence that was acknowledged since the stream was last found
// to have lost something; sequence 0: none is kept.
func (s *Store) HighestRetained() (eventID string, stream uint64, err error) {
	err = s.view(func(tx *bbolt.Tx) error {
		var highest Retained
		since := readNumber(tx, keptSinceKey)
		c := tx.Bucket(sentBucket).Cursor()
		seen := 0
		for key, value := c.Last(); key != nil && binary.BigEndian.Uint64(key) > since && seen < recent; key, value = c.Prev() {
			seen++
			if k, exact := parseKept(key, value); exact && k.Stream > highest.Stream {
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

func (s *Store) countKept() error {
	var kept tally
	err := s.view(func(tx *bbolt.Tx) error {
		return tx.Bucket(sentBucket).ForEach(func(key, value []byte) error {
			kept.add(1, key, value)
			return nil
		})
	})
	s.kept.add(kept)
	return err
}
