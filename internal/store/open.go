package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
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
		for _, bucket := range [][]byte{jobsBucket, outboxBucket, trackedBucket, metaBucket} {
			if _, err := tx.CreateBucketIfNotExists(bucket); err != nil {
				return err
			}
		}
		return nil
	},
}

const lockWait = time.Second // how long another watcher may take to let go of the file

// Open opens the store, or makes it, its folder included. A file that another watcher uses, one
// that is no store, is damaged or was written by a newer version is refused and left as it is.
func Open(path string, mint *event.Minter) (*Store, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, fmt.Errorf("%s: %w; set store.path to a place where the watcher may write", path, err)
	}
	db, err := openFile(path)
	if err != nil {
		return nil, err
	}
	s := &Store{db: db, mint: mint, fresh: map[job.ID]struct{}{}, wake: make(chan struct{}, 1)}
	if err := s.prepare(path); err != nil {
		db.Close()
		return nil, err
	}
	return s, nil
}

func openFile(path string) (db *bbolt.DB, err error) {
	options := *bbolt.DefaultOptions
	options.Timeout = lockWait
	options.FreelistType = bbolt.FreelistMapType
	err = guard(func() error {
		db, err = bbolt.Open(path, 0o600, &options)
		return err
	})
	switch {
	case err == nil:
		return db, nil
	case errors.Is(err, berrors.ErrTimeout):
		return nil, fmt.Errorf("%s: in use by another watcher%s; stop it, or set another store.path", path, lockHolder(path))
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%s: permission denied; the watcher must be able to read and write it", path)
	case notBbolt(err):
		return nil, fmt.Errorf("%s: not a store of jobwatch (%v); move it away, or set another store.path", path, err)
	}
	return nil, fmt.Errorf("%s: %w", path, err)
}

func notBbolt(err error) bool {
	return errors.Is(err, berrors.ErrInvalid) || errors.Is(err, berrors.ErrChecksum) ||
		errors.Is(err, berrors.ErrVersionMismatch) || errors.Is(err, errDamaged)
}

// prepare checks the file, brings it to the current format and counts its outbox.
func (s *Store) prepare(path string) error {
	format, err := s.inspect(path)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if format > len(migrations) {
		return fmt.Errorf("%s: written by a newer version (format %d, this one knows %d); use that version, or set another store.path",
			path, format, len(migrations))
	}
	if err := s.migrate(format); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return s.countOutbox()
}

// inspect reads the format, and refuses what is no store or is damaged, without a write.
func (s *Store) inspect(path string) (format int, err error) {
	err = guard(func() error {
		return s.db.View(func(tx *bbolt.Tx) error {
			// A page beyond the end is a fault in another goroutine, which nobody can catch: look first.
			if info, err := os.Stat(path); err != nil || info.Size() < tx.Size() {
				return fmt.Errorf("%w (cut short)", errDamaged)
			}
			for err := range tx.Check() {
				return fmt.Errorf("%w (%v)", errDamaged, err)
			}
			format, err = readFormat(tx)
			return err
		})
	})
	return format, err
}

func readFormat(tx *bbolt.Tx) (int, error) {
	meta := tx.Bucket(metaBucket)
	if meta == nil {
		if name, _ := tx.Cursor().First(); name != nil {
			return 0, fmt.Errorf("not a store of jobwatch (another program's bbolt file); move it away, or set another store.path")
		}
		return 0, nil
	}
	value := meta.Get(formatKey)
	if len(value) != 8 {
		return 0, fmt.Errorf("not a store of jobwatch (no format in it); move it away, or set another store.path")
	}
	return int(binary.BigEndian.Uint64(value)), nil
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

var errDamaged = errors.New("the file is damaged; move it away and start again: what was told is read back from the stream")

// guard turns what bbolt does with a damaged file, a panic or a fault in the mapped memory, into an error.
func guard(read func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("%w (%v)", errDamaged, cause)
		}
	}()
	return read()
}
