package store

import (
	"encoding/binary"

	"go.etcd.io/bbolt"
)

var (
	formatKey = []byte("format")
	cursorKey = []byte("cursor")
	streamKey = []byte("stream")
)

// Cursor says how far the stream was read, and which stream that was (its name and birth, opaque).
// It is a cursor of reading: another watcher's event may lie below our highest acknowledgement.
func (s *Store) Cursor() (stream string, sequence uint64, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		meta := tx.Bucket(metaBucket)
		stream = string(meta.Get(streamKey))
		if value := meta.Get(cursorKey); len(value) == 8 {
			sequence = binary.BigEndian.Uint64(value)
		}
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
