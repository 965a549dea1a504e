package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"jobwatch/internal/config"
	"jobwatch/internal/control"
	"jobwatch/internal/store"
	"jobwatch/internal/stream"
)

// checkNATS looks at the server that the watcher will meet. An embedded one that does not run yet has nothing to
// look at but its address and its folder.
func checkNATS(ctx context.Context, c config.NATS) []finding {
	ctx, cancel := context.WithTimeout(ctx, 2*natsPatience)
	defer cancel()
	settings, err := streamConfig(c, slog.New(slog.DiscardHandler))
	if err != nil {
		return []finding{broken("NATS", err)}
	}
	if c.UsesEmbedded() && isFree(c.Embedded.Listen) {
		return []finding{
			fine("NATS", "the embedded server can listen on %s; run starts it, and makes stream %s", c.Embedded.Listen, c.Stream),
			writable("NATS", "nats.embedded.dir", c.Embedded.Dir),
		}
	}
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

func isFree(address string) bool {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return false
	}
	return listener.Close() == nil
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
	if nearest == filepath.Clean(dir) {
		return fine(what, "%s is a folder to write in", dir)
	}
	return fine(what, "%s is not there yet; run makes it", dir)
}

func checkHTTP(listen string, running bool) finding {
	listener, err := net.Listen("tcp", listen)
	switch {
	case err == nil:
		_ = listener.Close()
		return fine("HTTP", "can listen on %s", listen)
	case running && errors.Is(err, syscall.EADDRINUSE):
		return fine("HTTP", "%s is in use by the running watcher", listen)
	}
	reason := err.Error()
	if i := strings.LastIndex(reason, ": "); i >= 0 {
		reason = reason[i+2:]
	}
	return broken("HTTP", fmt.Errorf("http.listen %s: %s; choose another, or \"\" for none", listen, reason))
}
