package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// EmbeddedConfig says where the embedded NATS server listens and keeps its stream.
type EmbeddedConfig struct {
	Listen     string // host:port; port 0 is a free one
	Dir        string
	SyncAlways bool         // each message is on the disk before it is acknowledged
	Log        *slog.Logger // default slog.Default()
}

// Embedded is a NATS server inside this process.
type Embedded struct {
	srv  *server.Server
	lock *os.File
}

const startPatience = 10 * time.Second

// StartEmbedded starts a NATS server with JetStream. Its errors name the key of the configuration that mends them.
func StartEmbedded(c EmbeddedConfig) (*Embedded, error) {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	host, port, err := freeAddress(c.Listen)
	if err != nil {
		return nil, err
	}
	lock, err := lockDir(c.Dir)
	if err != nil {
		return nil, err
	}
	log := &serverLog{log: c.Log}
	srv, err := server.NewServer(&server.Options{
		ServerName: "jobwatch", Host: host, Port: port, JetStream: true, StoreDir: c.Dir, SyncAlways: c.SyncAlways,
		NoSigs: true, DontListen: false, DisableJetStreamBanner: true,
	})
	if err == nil {
		srv.SetLogger(log, false, false)
		go srv.Start()
		if !srv.ReadyForConnections(startPatience) || !srv.JetStreamEnabled() {
			srv.Shutdown()
			err = log.reason()
		}
	}
	if err != nil {
		lock.Close()
		return nil, fmt.Errorf("nats.embedded: the server does not start on %s with %s: %w", c.Listen, c.Dir, err)
	}
	return &Embedded{srv: srv, lock: lock}, nil
}

// ClientURL is where clients find the server: nats://127.0.0.1:4222.
func (e *Embedded) ClientURL() string { return e.srv.ClientURL() }

// Close stops the server and waits until its files are closed.
func (e *Embedded) Close() {
	e.srv.Shutdown()
	e.srv.WaitForShutdown()
	e.lock.Close()
}

// freeAddress looks first whether the address can be had: the server itself would end the process.
func freeAddress(listen string) (host string, port int, err error) {
	var config net.ListenConfig
	listener, err := config.Listen(context.Background(), "tcp", listen)
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) {
			err = op.Err
		}
		return "", 0, fmt.Errorf("nats.embedded.listen %s: %w; stop what uses it, or choose another address", listen, err)
	}
	defer listener.Close()
	host, text, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		return "", 0, err
	}
	port, err = strconv.Atoi(text)
	return host, port, err
}

// lockDir keeps two servers from one folder, which JetStream would not survive.
func lockDir(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("nats.embedded.dir %s: %w; choose a folder that the watcher may write", dir, plainPath(err))
	}
	lock, err := os.OpenFile(filepath.Join(dir, "jobwatch.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("nats.embedded.dir %s: %w; choose a folder that the watcher may write", dir, plainPath(err))
	}
	if err := flock(lock); err != nil {
		lock.Close()
		return nil, fmt.Errorf("nats.embedded.dir %s: in use by another watcher; stop it, or choose another folder", dir)
	}
	return lock, nil
}

func plainPath(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// serverLog passes the server's warnings and errors on, and keeps why it could not start.
type serverLog struct {
	log *slog.Logger

	mu    sync.Mutex
	fatal string // guarded by mu
}

func (l *serverLog) Noticef(string, ...any) {}
func (l *serverLog) Debugf(string, ...any)  {}
func (l *serverLog) Tracef(string, ...any)  {}

func (l *serverLog) Warnf(format string, v ...any) {
	l.log.Warn("embedded NATS: " + fmt.Sprintf(format, v...))
}

func (l *serverLog) Errorf(format string, v ...any) {
	l.log.Error("embedded NATS: " + fmt.Sprintf(format, v...))
}

// Fatalf must not end the process: StartEmbedded returns the reason.
func (l *serverLog) Fatalf(format string, v ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fatal = strings.TrimSpace(fmt.Sprintf(format, v...))
}

func (l *serverLog) reason() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fatal == "" {
		return fmt.Errorf("not ready after %v", startPatience)
	}
	return errors.New(l.fatal)
}
