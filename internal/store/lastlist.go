package store

import (
	"encoding/binary"
	"time"

	"go.etcd.io/bbolt"
)

// LastList is when a CommCell's Job list was last read to its end; zero: never, as far as is known.
func (s *Store) LastList(commCell string) (at time.Time, err error) {
	err = s.view(func(tx *bbolt.Tx) error {
		if value := tx.Bucket(metaBucket).Get(listedKey(commCell)); len(value) == 8 {
			at = fromNanos(int64(binary.BigEndian.Uint64(value)))
		}
		return nil
	})
	return at, err
}

// NoteList keeps when a CommCell's Job list was asked for that has been read to its end; the zero time
// forgets it.
func (s *Store) NoteList(commCell string, at time.Time) error {
	return s.update(func(tx *bbolt.Tx) error {
		if at.IsZero() {
			return tx.Bucket(metaBucket).Delete(listedKey(commCell))
		}
		return tx.Bucket(metaBucket).Put(listedKey(commCell), binary.BigEndian.AppendUint64(nil, uint64(nanos(at))))
	})
}

func listedKey(commCell string) []byte { return []byte("listed/" + commCell) }
