package stream

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	watchEvery   = time.Second
	longestPause = time.Minute // between two restarts
	roomNeeded   = 1 << 20     // bytes that can be written before a restart is worth it
)

// Run watches the server until ctx ends. After an error of the disk a NATS server takes nothing more for that stream,
// also when there is room again, until it is restarted: Run does that as soon as the folder can be written.
func (e *Embedded) Run(ctx context.Context) error {
	wait, since := watchEvery, time.Now()
	for sleep(ctx, watchEvery) {
		reason := writeError(e.server())
		if reason == "" {
			if time.Since(since) > longestPause {
				wait = watchEvery
			}
			continue
		}
		e.fails(fmt.Errorf("embedded NATS server: it cannot write: %s; make room in nats.embedded.dir, and it goes on by itself", reason))
		for sleep(ctx, wait) {
			if e.restart() {
				break
			}
		}
		wait, since = min(2*wait, longestPause), time.Now()
	}
	return nil
}

// Trouble says why the server cannot write; nil if it can. The nil Embedded has none.
func (e *Embedded) Trouble() error {
	if e == nil {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.trouble
}

// troubled is closed when trouble comes.
func (e *Embedded) troubled() <-chan struct{} {
	if e == nil {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.failed
}

func (e *Embedded) fails(why error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.trouble == nil {
		close(e.failed)
	}
	e.trouble = why
}

// restart is false where the folder cannot be written yet, or the server does not start.
func (e *Embedded) restart() bool {
	if tryWrite(e.config.Dir) != nil {
		return false
	}
	stop(e.server())
	srv, err := launch(e.opts, e.config.Log)
	if err != nil {
		e.fails(fmt.Errorf("embedded NATS server: it does not start again: %w", err))
		return false
	}
	e.config.Log.Warn("embedded NATS server: started again after an error of the disk")
	e.mu.Lock()
	defer e.mu.Unlock()
	e.srv, e.trouble, e.failed = srv, nil, make(chan struct{})
	return true
}

// tryWrite writes a file into the folder, and removes it.
func tryWrite(dir string) error {
	f, err := os.CreateTemp(dir, "jobwatch-room-")
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, roomNeeded))
	return errors.Join(err, f.Sync(), f.Close(), os.Remove(filepath.Clean(f.Name())))
}

// writeError is what the server says that keeps it from writing; "" for nothing.
func writeError(srv *server.Server) string {
	if !srv.JetStreamEnabled() {
		return "JetStream has ended (its log says why)"
	}
	for _, e := range srv.Healthz(&server.HealthzOptions{Details: true}).Errors {
		if _, reason, found := strings.Cut(e.Error, " write error: "); found {
			return reason
		}
	}
	return ""
}
