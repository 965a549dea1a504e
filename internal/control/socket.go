package control

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"

	"jobwatch/internal/system"
)

// longestSocket is what Linux and macOS both take of a Unix socket's path, in bytes.
const longestSocket = 103

// besideStore is where a store's socket lies; where that path is too long for one, a file in its place
// holds the path of one that is short.
func besideStore(storePath string) string { return storePath + ".sock" }

// socketOf finds the socket that belongs to a store, whether or not somebody serves it.
func socketOf(storePath string) (string, error) {
	path := besideStore(storePath)
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return path, nil
	case errors.Is(err, fs.ErrPermission):
		return "", noRight(path)
	case err != nil:
		return "", err
	case !info.Mode().IsRegular():
		return path, nil
	}
	short, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist): // its watcher has just ended, or another has just begun
		return path, nil
	case errors.Is(err, fs.ErrPermission):
		return "", noRight(path)
	}
	return strings.TrimSpace(string(short)), err
}

func noRight(path string) error {
	return fmt.Errorf("%s: no right to use the running watcher's socket; run this as the user that runs the watcher, or as a member of its store.socket_group", path)
}

// listen takes the place of a socket that a killed watcher has left: it had the store, and we have it now.
// The socket is its owner's alone, unless a group is named.
func listen(storePath, group string) (l net.Listener, leave func(), err error) {
	beside := besideStore(storePath)
	if err := takePlace(storePath); err != nil {
		return nil, nil, err
	}
	if len(beside) <= longestSocket {
		l, err := listenUnix(beside, group)
		return l, func() {}, err
	}
	dir, err := os.MkdirTemp("", shortDir+"*")
	if err != nil {
		return nil, nil, err
	}
	short := filepath.Join(dir, shortName)
	leave = func() {
		_ = os.RemoveAll(dir)
		_ = os.Remove(beside)
	}
	err = openTo(group, dir, 0o710)
	if err == nil {
		l, err = listenUnix(short, group)
	}
	if err == nil {
		err = writeWhole(beside, short+"\n", group)
	}
	if err != nil {
		leave()
		return nil, nil, err
	}
	return l, leave, nil
}

// openTo gives a file to the group that is named, and then the rights.
func openTo(group, path string, rights fs.FileMode) error {
	if group == "" {
		return nil
	}
	return system.OpenToGroup(path, group, rights)
}

// writeWhole leaves nobody a file to read that is not written to its end, and writes to none that is there already.
func writeWhole(path, text, group string) error {
	part, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new")
	if err != nil {
		return err
	}
	_, err = part.WriteString(text)
	if err = errors.Join(err, part.Close(), openTo(group, part.Name(), 0o640)); err == nil {
		err = os.Rename(part.Name(), path)
	}
	if err != nil {
		_ = os.Remove(part.Name())
	}
	return err
}

const (
	shortDir  = "jobwatch-"
	shortName = "control.sock"
)

// takePlace takes away what a killed watcher has left, and nothing else: a file of that name may be somebody's.
func takePlace(storePath string) error {
	beside := besideStore(storePath)
	path, err := socketOf(storePath)
	if err != nil {
		return err
	}
	if path != beside {
		if filepath.Base(path) != shortName || !strings.HasPrefix(filepath.Base(filepath.Dir(path)), shortDir) {
			return inTheWay(beside)
		}
		return errors.Join(os.RemoveAll(filepath.Dir(path)), os.Remove(beside))
	}
	info, err := os.Lstat(beside)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return inTheWay(beside)
	}
	return os.Remove(beside)
}

func inTheWay(path string) error {
	return fmt.Errorf("%s: in the place of the watcher's socket; move it away", path)
}

func listenUnix(path, group string) (net.Listener, error) {
	l, err := system.ListenPrivate(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := openTo(group, path, 0o660); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}
