package store

import (
	"encoding/binary"
	"math"

	"go.etcd.io/bbolt"
)

var (
	formatKey = []byte("format")
	cursorKey = []byte("cursor")
	streamKey = []byte("stream")
	readKey   = []byte("read") // the cursor once more, and the id of the message there

	keptSinceKey = []byte("kept since")
)

// readNumber reads a number of meta; 0 where there is none.
func readNumber(tx *bbolt.Tx, key []byte) uint64 {
	value := tx.Bucket(metaBucket).Get(key)
	if len(value) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(value)
}

// Invalidated stands for the sequence read of a stream that has lost something, until all of it has been read.
const Invalidated = math.MaxUint64

// Cursor is how far the stream was read.
type Cursor struct {
	Stream   string // its name and birth, opaque
	Sequence uint64
	ID       string // of the message there; empty: unknown
}

// Cursor says how far the stream was read. It is a cursor of reading: another watcher's event may lie below our highest
// acknowledgement.
func (s *Store) Cursor() (c Cursor, err error) {
	err = s.view(func(tx *bbolt.Tx) error {
		c.Stream = string(tx.Bucket(metaBucket).Get(streamKey))
		c.Sequence = readNumber(tx, cursorKey)
		read := tx.Bucket(metaBucket).Get(readKey)
		if len(read) > 8 && binary.BigEndian.Uint64(read) == c.Sequence { // an older program moves the cursor alone
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
