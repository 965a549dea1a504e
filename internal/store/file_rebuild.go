package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"

	"jobwatch/internal/system"
)

// Claim locks a store's file while another is made that is to take its place.
type Claim struct {
	path string
	file *os.File
	made bool // by ClaimFile, empty: there was none to lock
}

// ClaimFile locks a file, whatever it holds. One that is in use is refused.
func ClaimFile(path string) (*Claim, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, fmt.Errorf("%s: %w; set store.path to a place where the watcher may write", path, cause(err))
	}
	_, err := os.Stat(path)
	c := &Claim{path: path, made: errors.Is(err, fs.ErrNotExist)}
	if c.file, err = os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return nil, fmt.Errorf("%s: %w; the watcher must be able to read and write it, or set another store.path", path, cause(err))
	}
	err = system.Lock(c.file)                                         // as bbolt does
	if held, _ := c.file.Stat(); err != nil || !isNamed(held, path) { // another has just taken its place
		defer c.file.Close()
		return nil, fmt.Errorf("%s: in use by another watcher%s; stop it, and do this then", path, lockHolder(path))
	}
	return c, nil
}

// ReplaceBy puts another file in the place of the one claimed, which lies under the name returned from then on; ""
// if there was none.
func (c *Claim) ReplaceBy(path string) (aside string, err error) {
	if !c.made {
		aside = c.path + ".old-" + time.Now().UTC().Format("20060102T150405.000Z")
		if err := setAside(c.path, aside); err != nil {
			return "", err
		}
	}
	c.made = false
	if !system.ReplacesOpenFiles { // who opens it now keeps it from being replaced
		_ = c.file.Close()
		c.file = nil
	}
	return aside, errors.Join(os.Rename(path, c.path), system.SyncFolder(filepath.Dir(c.path)))
}

// setAside leaves the file under its own name too until another takes it: if there were none for a moment, a watcher that
// opens the store would make one. A file system without links has no such way.
func setAside(path, aside string) error {
	if os.Link(path, aside) == nil {
		return nil
	}
	return os.Rename(path, aside)
}

// Release unlocks the file. One that was not replaced is as it was.
func (c *Claim) Release() error {
	switch {
	case c.file == nil:
		return nil
	case !c.made:
		return c.file.Close()
	case system.ReplacesOpenFiles:
		return errors.Join(os.Remove(c.path), c.file.Close())
	}
	return errors.Join(c.file.Close(), os.Remove(c.path))
}

// Unrecoverable is what a file holds that a rebuild cannot read back from the stream.
type Unrecoverable struct {
	Unsent int // events
	ByHand int // jobs tracked or untracked by a person
}

// CountUnrecoverable leaves the file as it is. Its errors are those of Inspect, but it also counts values that cannot be
// decoded.
func CountUnrecoverable(path string) (lost Unrecoverable, err error) {
	if _, err := inspect(path); err != nil {
		return lost, fmt.Errorf("%s: %w", path, err)
	}
	db, err := openFile(path, true)
	if err != nil {
		return lost, err
	}
	defer db.Close()
	err = guard(func() error {
		return db.View(func(tx *bbolt.Tx) error {
			return errors.Join(
				eachValue(tx, outboxBucket, func(_, _ []byte) error {
					lost.Unsent++
					return nil
				}),
				eachValue(tx, trackedBucket, func(_, why []byte) error {
					if w := Why(why); w == ByHand || w == Untracked {
						lost.ByHand++
					}
					return nil
				}))
		})
	})
	return lost, err
}
