package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"

	"jobwatch/internal/event"
	"jobwatch/internal/system"
)

const (
	compactFrom  = 64 << 20 // bytes of a file; a smaller one is left as it is
	compactBatch = 1 << 20  // bytes copied in one transaction, which are held in memory
)

// OpenCompacted is Open for the start of a watcher. A file of which more than three quarters are free is copied into a
// new one first, which takes its place when it is whole. Where that fails, the old one is used, and log says why.
func OpenCompacted(ctx context.Context, path string, mint *event.Minter, log *slog.Logger) (*Store, error) {
	c := compaction{path: path, from: compactFrom, log: log}
	return open(path, mint, func(db *bbolt.DB) (*bbolt.DB, error) { return c.run(ctx, db) })
}

type compaction struct {
	path string
	from int64
	log  *slog.Logger
}

// run returns the file to use from now on. The lock of the old one is held until that of the new one is: a watcher that
// waits for it then finds another file under the name (openFile).
func (c compaction) run(ctx context.Context, old *bbolt.DB) (*bbolt.DB, error) {
	if !system.ReplacesOpenFiles {
		return old, nil
	}
	path, before, err := c.locate(old)
	if err != nil || before == 0 {
		return old, err
	}
	if err := replaceByCopy(ctx, old, path); err != nil {
		_ = os.Remove(path + ".compact")
		if ctx.Err() == nil {
			c.log.Warn(fmt.Sprintf("%s: mostly free, and not compacted; going on with it as it is", c.path), "err", cause(err))
		}
		return old, nil
	}
	fresh, err := openFile(path, false)
	_ = old.Close() // nothing is written to it, and no name leads to it any more
	if err != nil {
		return nil, err
	}
	if err := system.SyncFolder(filepath.Dir(path)); err != nil { // or the old one is back after a power failure
		_ = fresh.Close()
		return nil, fmt.Errorf("compacted, which the disk may not remember (%w); start again", cause(err))
	}
	c.log.Info(fmt.Sprintf("compacted %s, which was mostly free: %d MiB, now %d MiB", c.path, before>>20, size(path)>>20))
	return fresh, nil
}

// locate gives where the file really lies, and its size; 0: it is to stay as it is. A copy that a killed start has left
// unfinished is removed: under the lock nobody else is making one.
func (c compaction) locate(old *bbolt.DB) (path string, before int64, err error) {
	path, err = filepath.EvalSymlinks(c.path)
	if err != nil {
		return "", 0, err
	}
	if err := os.Remove(path + ".compact"); err == nil {
		c.log.Info(fmt.Sprintf("removed %s.compact, an unfinished copy of the store", path))
	}
	before = size(path)
	if !mostlyFree(before, used(old), c.from) {
		before = 0
	}
	return path, before, nil
}

func mostlyFree(size, used, from int64) bool { return size > from && used < size/4 }

// used is what the pages that hold something take.
func used(db *bbolt.DB) (bytes int64) {
	_ = db.View(func(tx *bbolt.Tx) error {
		bytes = tx.Size() - int64(db.Stats().FreePageN)*int64(db.Info().PageSize)
		return nil
	})
	return bytes
}

func size(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// replaceByCopy does all that can fail before the new file takes the place of the old one.
func replaceByCopy(ctx context.Context, old *bbolt.DB, path string) error {
	fresh := path + ".compact"
	if err := copyCompact(ctx, old, fresh); err != nil {
		return err
	}
	if _, err := inspect(fresh); err != nil {
		return err
	}
	if err := copyOwnerAndMode(fresh, path); err != nil {
		return err
	}
	if err := system.SyncFolder(filepath.Dir(path)); err != nil { // rather now than when it is too late
		return err
	}
	return os.Rename(fresh, path)
}

// copyCompact writes a new file, down to the disk.
func copyCompact(ctx context.Context, old *bbolt.DB, path string) error {
	fresh, err := bbolt.Open(path, 0o600, &bbolt.Options{
		FreelistType: bbolt.FreelistMapType,
		NoSync:       true, // once, at the end
		OpenFile: func(name string, flag int, mode fs.FileMode) (*os.File, error) {
			return os.OpenFile(name, flag|os.O_EXCL, mode)
		},
	})
	if err != nil {
		return err
	}
	err = guard(func() error { return copyTables(ctx, old, fresh) })
	if err == nil {
		err = fresh.Sync()
	}
	return errors.Join(err, fresh.Close())
}

// copyTables is bbolt.Compact that ends with ctx: a watcher of a million jobs has to stop within ten seconds.
func copyTables(ctx context.Context, from, to *bbolt.DB) error {
	return from.View(func(tx *bbolt.Tx) error {
		return tx.ForEach(func(name []byte, table *bbolt.Bucket) error {
			rows := table.Cursor()
			for key, value := rows.First(); ; key, value = rows.Next() {
				err := to.Update(func(tx *bbolt.Tx) (err error) {
					key, err = copyBatch(tx, name, rows, key, value)
					return err
				})
				if err == nil {
					err = context.Cause(ctx)
				}
				if err != nil || key == nil {
					return err
				}
			}
		})
	})
}

// copyBatch copies rows from the one given on, and returns the key of the last; nil if there are no more.
func copyBatch(tx *bbolt.Tx, name []byte, rows *bbolt.Cursor, key, value []byte) ([]byte, error) {
	table, err := tx.CreateBucketIfNotExists(name)
	if err != nil {
		return nil, err
	}
	table.FillPercent = 1 // they come in order
	for size := 0; key != nil; key, value = rows.Next() {
		if value == nil {
			return nil, fmt.Errorf("%.40q in %q is a table itself", key, name)
		}
		if err := table.Put(key, value); err != nil {
			return nil, err
		}
		if size += len(key) + len(value); size > compactBatch {
			break
		}
	}
	return key, nil
}

// copyOwnerAndMode gives a file the owner and the mode of another.
func copyOwnerAndMode(path, of string) error {
	info, err := os.Stat(of)
	if err != nil {
		return err
	}
	if err := system.GiveOwner(path, info); err != nil {
		return err
	}
	return os.Chmod(path, info.Mode().Perm())
}
