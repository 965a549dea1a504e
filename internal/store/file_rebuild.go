package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
)

// Claim keeps watchers from a store's file while one is made that is to take its place.
type Claim struct {
	path string
	file *os.File
	made bool // by us, empty: there was none to keep others from
}

// Replacing claims a file, whatever it holds. One that is in use is refused.
func Replacing(path string) (*Claim, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, fmt.Errorf("%s: %w; set store.path to a place where the watcher may write", path, cause(err))
	}
	_, err := os.Stat(path)
	c := &Claim{path: path, made: errors.Is(err, fs.ErrNotExist)}
	if c.file, err = os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return nil, fmt.Errorf("%s: %w; the watcher must be able to read and write it, or set another store.path", path, cause(err))
	}
	err = syscall.Flock(int(c.file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) // the lock that bbolt takes
	if held, _ := c.file.Stat(); err != nil || !isNamed(held, path) {      // another has just taken its place
		defer c.file.Close()
		return nil, fmt.Errorf("%s: in use by another watcher%s; stop it, and do this then", path, lockHolder(path))
	}
	return c, nil
}

// By puts another file in the place of the one claimed, which lies under the name returned from then on; ""
// if there was none.
func (c *Claim) By(path string) (aside string, err error) {
	if !c.made {
		aside = c.path + ".old-" + time.Now().UTC().Format("20060102T150405.000Z")
		if err := setAside(c.path, aside); err != nil {
			return "", err
		}
	}
	c.made = false
	return aside, errors.Join(os.Rename(path, c.path), syncFolder(filepath.Dir(c.path)))
}

// setAside leaves the file under its own name too until another takes it: where there were none for a moment, whoever
// opens the store would make one. A file system without links has no such way.
func setAside(path, aside string) error {
	if os.Link(path, aside) == nil {
		return nil
	}
	return os.Rename(path, aside)
}

// End lets go of the file. What was not replaced is as it was.
func (c *Claim) End() error {
	if c.made {
		return errors.Join(os.Remove(c.path), c.file.Close())
	}
	return c.file.Close()
}

// Left is what a file holds that no stream tells.
type Left struct {
	Unsent int // events
	ByHand int // jobs tracked or untracked by a person
}

// LeftIn counts it, and leaves the file as it is. Its errors are those of Inspect, but that it also counts what cannot
// be read.
func LeftIn(path string) (left Left, err error) {
	if _, err := inspect(path); err != nil {
		return left, fmt.Errorf("%s: %w", path, err)
	}
	db, err := openFile(path, true)
	if err != nil {
		return left, err
	}
	defer db.Close()
	err = guard(func() error {
		return db.View(func(tx *bbolt.Tx) error {
			left.Unsent = keys(tx, outboxBucket)
			return eachTracked(tx, func(why Why) {
				if why == ByHand || why == Untracked {
					left.ByHand++
				}
			})
		})
	})
	return left, err
}

// keys counts those of a table, which an empty file has none of.
func keys(tx *bbolt.Tx, table []byte) int {
	bucket := tx.Bucket(table)
	if bucket == nil {
		return 0
	}
	return bucket.Stats().KeyN
}

func eachTracked(tx *bbolt.Tx, do func(Why)) error {
	bucket := tx.Bucket(trackedBucket)
	if bucket == nil {
		return nil
	}
	return bucket.ForEach(func(_, why []byte) error {
		do(Why(why))
		return nil
	})
}
