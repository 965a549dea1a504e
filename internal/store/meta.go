package store

import (
	"crypto/rand"
	"encoding/binary"
	"math"
	"time"

	"go.etcd.io/bbolt"
)

var (
	formatKey = []byte("format")
	cursorKey = []byte("cursor")
	streamKey = []byte("stream")
	readKey   = []byte("read") // the cursor once more, and the id of the message there

	idKey = []byte("id")

	retainedSinceKey = []byte("kept since")
)

// readNumber reads a number of meta; 0 where there is none.
func readNumber(tx *bbolt.Tx, key []byte) uint64 {
	value := tx.Bucket(metaBucket).Get(key)
	if len(value) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(value)
}

// Invalidated is the cursor's sequence for a stream that has lost something, until all of it has been read.
const Invalidated = math.MaxUint64

// Cursor is how far the stream was read.
type Cursor struct {
	Stream   string // its name and birth, opaque
	Sequence uint64
	ID       string // of the message there; empty: unknown
}

// Cursor says how far the stream was read, not how far it was acknowledged: a foreign event may lie below the highest
// acknowledgement.
func (s *Store) Cursor() (c Cursor, err error) {
	err = s.view(func(tx *bbolt.Tx) error {
		c.Stream = string(tx.Bucket(metaBucket).Get(streamKey))
		c.Sequence = readNumber(tx, cursorKey)
		read := tx.Bucket(metaBucket).Get(readKey)
		if len(read) > 8 && binary.BigEndian.Uint64(read) == c.Sequence { // an older version moves the cursor alone
			c.ID = string(read[8:])
		}
		return nil
	})
	return c, err
}

// SetCursor notes how far the stream was read.
func (s *Store) SetCursor(c Cursor) error {
	return s.update(func(tx *bbolt.Tx) error {
		meta := tx.Bucket(metaBucket)
		if err := meta.Put(streamKey, []byte(c.Stream)); err != nil {
			return err
		}
		read := append(binary.BigEndian.AppendUint64(nil, c.Sequence), c.ID...)
		if err := meta.Put(cursorKey, read[:8]); err != nil {
			return err
		}
		return meta.Put(readKey, read)
	})
}

// ID is that of the file: random, and made when it is first asked for. A copy of the file has the same.
func (s *Store) ID() (id string, err error) {
	err = s.view(func(tx *bbolt.Tx) error {
		id = string(tx.Bucket(metaBucket).Get(idKey))
		return nil
	})
	if err != nil || id != "" {
		return id, err
	}
	err = s.update(func(tx *bbolt.Tx) error {
		if id = string(tx.Bucket(metaBucket).Get(idKey)); id != "" {
			return nil
		}
		id = rand.Text()
		return tx.Bucket(metaBucket).Put(idKey, []byte(id))
	})
	return id, err
}

// GUID is that of the CommServe from which a CommCell's jobs are known; "": not known yet.
func (s *Store) GUID(commCell string) (guid string, err error) {
	err = s.view(func(tx *bbolt.Tx) error {
		guid = string(tx.Bucket(metaBucket).Get(guidKey(commCell)))
		return nil
	})
	return guid, err
}

// SetGUID remembers which CommServe a CommCell is.
func (s *Store) SetGUID(commCell, guid string) error {
	return s.update(func(tx *bbolt.Tx) error {
		return tx.Bucket(metaBucket).Put(guidKey(commCell), []byte(guid))
	})
}

func guidKey(commCell string) []byte { return []byte("guid/" + commCell) }

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

// SetLastList stores when the Job list was asked for that has been read to its end; the zero time forgets it.
func (s *Store) SetLastList(commCell string, at time.Time) error {
	return s.update(func(tx *bbolt.Tx) error {
		if at.IsZero() {
			return tx.Bucket(metaBucket).Delete(listedKey(commCell))
		}
		return tx.Bucket(metaBucket).Put(listedKey(commCell), binary.BigEndian.AppendUint64(nil, uint64(nanos(at))))
	})
}

func listedKey(commCell string) []byte { return []byte("listed/" + commCell) }
