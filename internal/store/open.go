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
	db, err := openFile(path, false)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	s := newOn(db, mint)
	if err := errors.Join(s.migrate(format), s.countOutbox(), s.countKept()); err != nil {
		db.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

func newOn(db *bbolt.DB, mint *event.Minter) *Store {
	return &Store{db: db, mint: mint, fresh: map[job.ID]struct{}{}, owed: map[job.ID]struct{}{}, wake: make(chan struct{}, 1), keepBytes: keepBytes}
}

func openFile(path string, readOnly bool) (*bbolt.DB, error) {
	options := *bbolt.DefaultOptions
	options.Timeout = lockWait
	options.FreelistType = bbolt.FreelistMapType
	options.ReadOnly = readOnly
	db, err := bbolt.Open(path, 0o600, &options)
	var refused *fs.PathError
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return nil, fmt.Errorf("in use by another watcher%s; stop it, or set another store.path", lockHolder(path))
	case errors.As(err, &refused): // the path stands before it already
		return nil, fmt.Errorf("%w; the watcher must be able to read and write it, or set another store.path", refused.Err)
	case err != nil:
		return nil, fmt.Errorf("%w (%w)", errNotOurs, err)
	}
	return db, nil
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
