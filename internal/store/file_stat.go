package store

import (
	"encoding/binary"
	"time"

	"go.etcd.io/bbolt"
)

// Stat is what the file holds, in numbers.
type Stat struct {
	Path          string         `json:"path"`
	Bytes         int64          `json:"bytes"`
	FreeBytes     int64          `json:"freeBytes"` // of Bytes; used again before the file grows
	Format        uint64         `json:"format"`    // of the layout
	Jobs          int            `json:"jobs"`      // known, CommCells left out
	Tracked       map[string]int `json:"tracked"`   // by reason
	Unsent        int64          `json:"unsent"`    // events that wait for the broker
	Retained      int64          `json:"kept"`      // acknowledged events, in case the broker forgets them
	RetainedBytes int64          `json:"keptBytes"`
	OldestUnsent  *time.Time     `json:"oldestUnsent"`
	Stream        string         `json:"stream"` // the one last read, opaque; "": none yet
	ReadTo        uint64         `json:"readTo"` // the last sequence read of it; 0: all is to be read
}

// Stat counts what the file holds. It walks all its keys.
func (s *Store) Stat() (Stat, error) {
	stat := Stat{Path: s.db.Path(), Tracked: map[string]int{}, Unsent: s.Unsent(), Retained: s.retained.rows.Load(), RetainedBytes: s.retained.bytes.Load()}
	oldest, err := s.OldestUnsent()
	if err != nil {
		return Stat{}, err
	}
	if !oldest.IsZero() {
		stat.OldestUnsent = &oldest
	}
	read, err := s.Cursor()
	if err != nil {
		return Stat{}, err
	}
	stat.Stream = read.Stream
	if read.Sequence != Invalidated {
		stat.ReadTo = read.Sequence
	}
	err = s.view(func(tx *bbolt.Tx) error {
		stat.Bytes = tx.Size()
		stat.FreeBytes = s.Free()
		stat.Format = binary.BigEndian.Uint64(tx.Bucket(metaBucket).Get(formatKey))
		return stat.count(tx)
	})
	return stat, err
}

func (stat *Stat) count(tx *bbolt.Tx) error {
	err := tx.Bucket(trackedBucket).ForEach(func(_, why []byte) error {
		stat.Tracked[string(why)]++
		return nil
	})
	if err != nil {
		return err
	}
	return tx.Bucket(jobsBucket).ForEach(func(key, _ []byte) error {
		if !parseKey(key, 0).IsCommCell() {
			stat.Jobs++
		}
		return nil
	})
}
