package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
)

// migrations change a file from the format of their index to the next; format 0 is an empty file.
// A new layout adds one at the end.
var migrations = []func(*bbolt.Tx) error{
	func(tx *bbolt.Tx) error {
		for _, bucket := range buckets {
			if _, err := tx.CreateBucketIfNotExists(bucket); err != nil {
				return err
			}
		}
		return nil
	},
	func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists(sentBucket)
		return err
	},
}

// Open opens the store, or makes it, its folder included. A file that another watcher uses, one
// that is no store, is damaged or was written by a newer version is refused and left as it is.
func Open(path string, mint *event.Minter) (*Store, error) {
	return open(path, mint, func(db *bbolt.DB) (*bbolt.DB, error) { return db, nil })
}

// open calls prepare with the file, locked, before anything else reads it; prepare may put another in its place.
func open(path string, mint *event.Minter, prepare func(*bbolt.DB) (*bbolt.DB, error)) (*Store, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, fmt.Errorf("%s: %w; set store.path to a place where the watcher may write", path, err)
	}
	format, err := inspect(path, decodable)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := createFile(path); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	db, err := openFile(path, false)
	if err == nil {
		db, err = prepare(db)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	s := newOn(db, mint)
	if err := s.ready(format); err != nil {
		db.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

func newOn(db *bbolt.DB, mint *event.Minter) *Store {
	return &Store{db: db, mint: mint, fresh: map[job.ID]struct{}{}, refresh: map[job.ID]struct{}{}, wake: make(chan struct{}, 1), held: make(chan struct{}), maxRetained: maxRetainedBytes}
}

// ready brings the file to the newest format.
func (s *Store) ready(format int) error {
	if err := s.migrate(format); err != nil {
		return err
	}
	return s.readState()
}

// readState reads at which transaction the file is, and counts the rows of outbox and sent.
func (s *Store) readState() error {
	err := s.db.View(func(tx *bbolt.Tx) error {
		s.committed.Store(int64(tx.ID()))
		return nil
	})
	return errors.Join(err, s.countOutbox(), s.countRetained())
}

func (s *Store) migrate(format int) error {
	if format == len(migrations) {
		return nil
	}
	return s.db.Update(func(tx *bbolt.Tx) error {
		for _, next := range migrations[format:] {
			if err := next(tx); err != nil {
				return err
			}
		}
		value := binary.BigEndian.AppendUint64(nil, uint64(len(migrations)))
		return tx.Bucket(metaBucket).Put(formatKey, value)
	})
}

func (s *Store) countOutbox() error {
	return s.view(func(tx *bbolt.Tx) error {
		s.unsent.Store(int64(tx.Bucket(outboxBucket).Stats().KeyN))
		return nil
	})
}
