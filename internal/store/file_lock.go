package store

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"jobwatch/internal/system"
)

const lockWait = time.Second // how long another watcher may take to unlock the file

// createFile makes a file where there is none, whole or not at all: a full disk or a crash leaves no part of one, which
// the next start would refuse.
func createFile(path string) error {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return nil // inspected, or openFile says what is wrong with it
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

// openFile opens and locks the file that has the name. While it waited for the lock, compaction or a rebuild may have put
// another in its place: it checks, or the store would be written to a file that nobody finds.
func openFile(path string, readOnly bool) (*bbolt.DB, error) {
	for tries := 1; ; tries++ {
		db, file, err := openOnce(path, readOnly)
		if err != nil {
			return nil, err
		}
		if isNamed(file, path) || tries == 3 { // some file systems give a file another number each time
			return db, nil
		}
		if err := db.Close(); err != nil {
			return nil, err
		}
	}
}

func isNamed(file fs.FileInfo, path string) bool {
	named, err := os.Stat(path)
	return err == nil && os.SameFile(file, named)
}

func openOnce(path string, readOnly bool) (db *bbolt.DB, file fs.FileInfo, err error) {
	options := *bbolt.DefaultOptions
	options.Timeout = lockWait
	options.FreelistType = bbolt.FreelistMapType
	options.ReadOnly = readOnly
	options.OpenFile = func(name string, flag int, mode fs.FileMode) (*os.File, error) {
		f, err := os.OpenFile(name, flag, mode)
		if err == nil && file == nil {
			file, err = f.Stat()
		}
		return f, err
	}
	db, err = bbolt.Open(path, 0o600, &options)
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return nil, nil, fmt.Errorf("in use by another watcher%s; stop it, or set another store.path", lockHolder(path))
	case err != nil:
		return nil, nil, unusable(err)
	}
	return db, file, nil
}

func unusable(err error) error {
	var refused *fs.PathError
	if errors.As(err, &refused) { // the path stands before it already
		return fmt.Errorf("%w; the watcher must be able to read and write it, or set another store.path", refused.Err)
	}
	return fmt.Errorf("%w (%w)", errNoHeader, err)
}

// lockHolder names the process that holds the file's lock, " (pid 71)", where the system tells (Linux does).
func lockHolder(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	locks, err := os.Open("/proc/locks")
	if err != nil {
		return ""
	}
	defer locks.Close()
	inode := ":" + system.FileNumber(info)
	for lines := bufio.NewScanner(locks); lines.Scan(); {
		// 1: FLOCK  ADVISORY  WRITE 4711 fe:00:131 0 EOF
		fields := strings.Fields(lines.Text())
		if len(fields) > 5 && fields[1] == "FLOCK" && strings.HasSuffix(fields[5], inode) {
			return fmt.Sprintf(" (pid %s)", fields[4])
		}
	}
	return ""
}
