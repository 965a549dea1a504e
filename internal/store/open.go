package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

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

const lockWait = time.Second // how long another watcher may take to let go of the file

// Open opens the store, or makes it, its folder included. A file that another watcher uses, one
// that is no store, is damaged or was written by a newer version is refused and left as it is.
func Open(path string, mint *event.Minter) (*Store, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, fmt.Errorf("%s: %w; set store.path to a place where the watcher may write", path, err)
	}
	format, err := inspect(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := makeFile(path); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	db, err := openFile(path, false)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	s := &Store{db: db, mint: mint, fresh: map[job.ID]struct{}{}, owed: map[job.ID]struct{}{}, wake: make(chan struct{}, 1), keepBytes: keepBytes}
	if err := s.prepare(format); err != nil {
		db.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

func (s *Store) prepare(format int) error {
	if err := s.migrate(format); err != nil {
		return err
	}
	return errors.Join(s.countOutbox(), s.countKept())
}

// makeFile makes a file where there is none, whole or not at all: a disk that is full, or a crash, leaves no part of one,
// which the next start would refuse.
func makeFile(path string) error {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return nil // inspected, or for openFile to say
	}
	part, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new")
	if err != nil {
		return unusable(err)
	}
	defer os.Remove(part.Name())
	part.Close()
	db, err := openFile(part.Name(), false)
	if err != nil {
		return err
	}
	if err := db.Close(); err != nil {
		return err
	}
	if err := os.Link(part.Name(), path); err == nil || errors.Is(err, fs.ErrExist) { // by another watcher, meanwhile
		return nil
	}
	return os.Rename(part.Name(), path) // a file system without links
}

func openFile(path string, readOnly bool) (*bbolt.DB, error) {
	options := *bbolt.DefaultOptions
	options.Timeout = lockWait
	options.FreelistType = bbolt.FreelistMapType
	options.ReadOnly = readOnly
	db, err := bbolt.Open(path, 0o600, &options)
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return nil, fmt.Errorf("in use by another watcher%s; stop it, or set another store.path", lockHolder(path))
	case err != nil:
		return nil, unusable(err)
	}
	return db, nil
}

func unusable(err error) error {
	var refused *fs.PathError
	if errors.As(err, &refused) { // the path stands before it already
		return fmt.Errorf("%w; the watcher must be able to read and write it, or set another store.path", refused.Err)
	}
	return fmt.Errorf("%w (%w)", errNotOurs, err)
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
	return s.db.View(func(tx *bbolt.Tx) error {
		s.unsent.Store(int64(tx.Bucket(outboxBucket).Stats().KeyN))
		return nil
	})
}
