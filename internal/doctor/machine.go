package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"

	"jobwatch/internal/config"
	"jobwatch/internal/store"
	"jobwatch/internal/system"
)

func canListen(key, address string) error {
	listener, err := net.Listen("tcp", address)
	if err == nil {
		return listener.Close()
	}
	reason := err
	if call, ok := errors.AsType[*os.SyscallError](err); ok {
		reason = call.Err
	}
	return fmt.Errorf("%s %s: %w; stop what uses it, or choose another", key, address, reason)
}

func checkStore(c config.Store, running bool) Finding {
	if running {
		return fine("store", "%s is in use by the running watcher", c.Path)
	}
	if _, err := os.Stat(c.Path); errors.Is(err, fs.ErrNotExist) {
		return writable("store", "store.path", filepath.Dir(c.Path))
	}
	if err := store.Inspect(c.Path); err != nil {
		return broken("store", err)
	}
	if err := system.MayWrite(c.Path); err != nil {
		return broken("store", fmt.Errorf("%s: %w; let the watcher write it, or set another store.path", c.Path, err))
	}
	if err := hasRoom(filepath.Dir(c.Path)); err != nil {
		return broken("store", fmt.Errorf("store.path: %w", err))
	}
	return fine("store", "%s is there", c.Path)
}

// writable checks the folder, or the nearest one above it that is there: the others will be made.
func writable(what, key, dir string) Finding {
	nearest := filepath.Clean(dir)
	for {
		info, err := os.Stat(nearest)
		if err == nil && !info.IsDir() {
			return broken(what, fmt.Errorf("%s: %s is no folder; set another", key, nearest))
		}
		if !errors.Is(err, fs.ErrNotExist) || filepath.Dir(nearest) == nearest {
			break
		}
		nearest = filepath.Dir(nearest)
	}
	if err := system.MayWrite(nearest); err != nil {
		return broken(what, fmt.Errorf("%s: %s: %w; let the watcher write there, or set another", key, nearest, err))
	}
	if err := hasRoom(nearest); err != nil {
		return broken(what, fmt.Errorf("%s: %w", key, err))
	}
	if nearest == filepath.Clean(dir) {
		return fine(what, "%s is a folder to write in", dir)
	}
	return fine(what, "%s is not there yet; run makes it", dir)
}

const leastRoom = 1 << 20 // bytes; with less the embedded server is not started again either

// hasRoom is an error where the folder's disk is full. A file system that does not say how large it is has room.
func hasRoom(dir string) error {
	if room, known := system.FreeBytes(dir); known && room < leastRoom {
		return fmt.Errorf("%s: the disk is full; make room, or set another", dir)
	}
	return nil
}

func checkHTTP(listen string, running bool) Finding {
	err := canListen("http.listen", listen)
	switch {
	case err == nil:
		return fine("HTTP", "can listen on %s", listen)
	case running && system.AddressInUse(err):
		return fine("HTTP", "%s is in use by the running watcher", listen)
	}
	return broken("HTTP", err)
}
