package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"jobwatch/internal/config"
	"jobwatch/internal/control"
	"jobwatch/internal/daemon"
	"jobwatch/internal/event"
	"jobwatch/internal/store"
	"jobwatch/internal/stream"
)

// checkNATS looks at the server that the watcher will meet. An embedded one that does not run yet has nothing to
// look at but its address and its folder.
func checkNATS(ctx context.Context, cfg *config.Config, running bool) []finding {
	c := cfg.NATS
	ctx, cancel := context.WithTimeout(ctx, 2*daemon.NATSPatience)
	defer cancel()
	settings, err := daemon.StreamConfig(c, slog.New(slog.DiscardHandler))
	if err != nil {
		return []finding{broken("NATS", err)}
	}
	for _, cell := range cfg.CommCells {
		settings.Samples = append(settings.Samples, event.Samples(c.SubjectPrefix, cell.Name)...)
	}
	probed := func() []finding { return probeNATS(ctx, settings) }
	if c.UsesEmbedded() && !running {
		return checkEmbedded(c, probed)
	}
	found := probed()
	if c.UsesEmbedded() {
		found = append(found, writable("NATS", "nats.embedded.dir", c.Embedded.Dir))
	}
	return found
}

func probeNATS(ctx context.Context, settings stream.Config) []finding {
	var found []finding
	for _, f := range stream.Probe(ctx, settings) {
		what := "NATS"
		if f.What != what {
			what += " " + f.What
		}
		found = append(found, finding{f.Grade, what, f.Text})
	}
	return found
}

// checkEmbedded looks for what keeps the embedded server from starting. A NATS server in its place may be that of a
// watcher that is about to end, or another's.
func checkEmbedded(c config.NATS, probed func() []finding) []finding {
	var found []finding
	if err := canListen("nats.embedded.listen", c.Embedded.Listen); err == nil {
		found = append(found, fine("NATS", "the embedded server can listen on %s; run starts it, and makes stream %s", c.Embedded.Listen, c.Stream))
	} else if server := probed(); errors.Is(err, syscall.EADDRINUSE) && server[0].Grade == stream.OK {
		found = append(found, doubtful("NATS", "%v (no watcher of this store runs, and yet %s is there)", err, server[0].Text))
		found = append(found, server...)
	} else {
		found = append(found, broken("NATS", err))
	}
	if err := stream.DirFree(c.Embedded.Dir); err != nil {
		return append(found, broken("NATS", err))
	}
	return append(found, writable("NATS", "nats.embedded.dir", c.Embedded.Dir))
}

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

func isRunning(c config.Store) bool {
	_, err := control.Dial(c.Path)
	return err == nil
}

func checkStore(c config.Store, running bool) finding {
	if running {
		return fine("store", "%s is in use by the running watcher", c.Path)
	}
	if _, err := os.Stat(c.Path); errors.Is(err, fs.ErrNotExist) {
		return writable("store", "store.path", filepath.Dir(c.Path))
	}
	if err := store.Inspect(c.Path); err != nil {
		return broken("store", err)
	}
	if err := unix.Access(c.Path, unix.W_OK); err != nil {
		return broken("store", fmt.Errorf("%s: %w; let the watcher write it, or set another store.path", c.Path, err))
	}
	if err := hasRoom(filepath.Dir(c.Path)); err != nil {
		return broken("store", fmt.Errorf("store.path: %w", err))
	}
	return fine("store", "%s is there", c.Path)
}

// writable looks at the folder, or at the nearest one above it that is there: the others will be made.
func writable(what, key, dir string) finding {
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
	if err := unix.Access(nearest, unix.W_OK|unix.X_OK); err != nil {
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
	var disk unix.Statfs_t
	if unix.Statfs(dir, &disk) == nil && disk.Blocks > 0 && disk.Bavail*uint64(disk.Bsize) < leastRoom {
		return fmt.Errorf("%s: the disk is full; make room, or set another", dir)
	}
	return nil
}

func checkHTTP(listen string, running bool) finding {
	err := canListen("http.listen", listen)
	switch {
	case err == nil:
		return fine("HTTP", "can listen on %s", listen)
	case running && errors.Is(err, syscall.EADDRINUSE):
		return fine("HTTP", "%s is in use by the running watcher", listen)
	}
	return broken("HTTP", err)
}
