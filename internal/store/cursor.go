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

// Distrusted stands for the sequence read of a stream that has lost something, until all of it has been read.
const Distrusted = math.MaxUint64

// Cursor says how far the stream was read, and which stream that was (its name and birth, opaque).
// It is a cursor of reading: another watcher's event may lie below our highest acknowledgement.
func (s *Store) Cursor() (stream string, sequence uint64, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		stream = string(tx.Bucket(metaBucket).Get(streamKey))
		sequence = readNumber(tx, cursorKey)
		return nil
	})
	return stream, sequence, err
}

// SetCursor notes how far the stream was read.
func (s *Store) SetCursor(stream string, sequence uint64) error {
	return s.update(func(tx *bbolt.Tx) error {
		meta := tx.Bucket(metaBucket)
		if err := meta.Put(streamKey, []byte(stream)); err != nil {
			return err
		}
		return meta.Put(cursorKey, binary.BigEndian.AppendUint64(nil, sequence))
	})
}
