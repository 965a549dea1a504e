package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"

	"jobwatch/internal/progress"
	"jobwatch/internal/system"
)

// Backup copies the store to a file that is not there yet, as it is at one moment, while others go on
// reading and writing, and returns the copy's size in bytes. The file is there whole and checked, for its
// owner alone, or not at all.
func (s *Store) Backup(ctx context.Context, file string) (size int64, err error) {
	_, err = os.Lstat(file)
	if err == nil {
		return 0, fmt.Errorf("%s: exists, and is left as it is; name a file that does not", file)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	temporary, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*.part")
	if err != nil {
		return 0, fmt.Errorf("%s: %w; name a file where the watcher may write", file, cause(err))
	}
	defer os.Remove(temporary.Name()) // of no effect once it is renamed
	size, err = s.copyTo(ctx, temporary)
	if err == nil {
		progress.Of(ctx, "checking the copy", "", 0)
		_, err = inspect(temporary.Name(), decodable)
	}
	if err == nil {
		err = os.Rename(temporary.Name(), file)
	}
	if err != nil {
		return 0, fmt.Errorf("%s: no copy is made: %w", file, err)
	}
	return size, system.SyncFolder(filepath.Dir(file))
}

// copyTo writes what a single read transaction sees, and closes the file.
func (s *Store) copyTo(ctx context.Context, file *os.File) (size int64, err error) {
	stop := context.AfterFunc(ctx, func() { _ = file.Close() }) // the next write fails
	defer stop()
	err = s.view(func(tx *bbolt.Tx) error {
		size, err = tx.WriteTo(&counted{file, progress.Of(ctx, "copying the store", progress.Bytes, tx.Size()), 0})
		return err
	})
	if err == nil {
		err = file.Sync()
	}
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	return size, errors.Join(err, file.Close())
}

// counted says how much was written to a file.
type counted struct {
	to   io.Writer
	is   func(bytes int64)
	done int64
}

func (c *counted) Write(some []byte) (int, error) {
	n, err := c.to.Write(some)
	c.done += int64(n)
	c.is(c.done)
	return n, err
}

// cause is an error of the file system without the path, which stands before it already.
func cause(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}
