package audit

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"jobwatch/internal/system"
)

// disk is what writes; a test has it stop or fail at any step.
type disk interface {
	open(name string, flag int, mode os.FileMode) (file, error)
	rename(from, to string) error
	remove(name string) error
	syncFolder(name string) error
}

type file interface {
	io.ReaderAt
	io.WriterAt
	Truncate(size int64) error
	Sync() error
	Close() error
	Stat() (os.FileInfo, error)
}

type realDisk struct{}

// open never empties a file, but begins another: what has its name may be a link, or a file that somebody else has open.
func (realDisk) open(name string, flag int, mode os.FileMode) (file, error) {
	if flag&os.O_TRUNC != 0 {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		flag |= os.O_EXCL
	}
	return os.OpenFile(name, flag, mode)
}
func (realDisk) rename(from, to string) error { return os.Rename(from, to) }
func (realDisk) remove(name string) error     { return os.Remove(name) }

func (realDisk) syncFolder(name string) error {
	return system.SyncFolder(name)
}

// unfinished ends the name of a file that is not yet whole.
const unfinished = ".tmp"

// replace writes a file that is whole, on the disk, or not there at all.
func replace(d disk, name string, data []byte, mode os.FileMode) error {
	f, err := d.open(name+unfinished, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(data, 0)
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	if err := d.rename(name+unfinished, name); err != nil {
		return err
	}
	return d.syncFolder(filepath.Dir(name))
}
