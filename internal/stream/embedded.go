package stream

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"jobwatch/internal/system"
)

// EmbeddedConfig says where the embedded NATS server listens and keeps its streams.
type EmbeddedConfig struct {
	Listen     string       // host:port; port 0: any free one; "": no socket, only Config.InProcess
	Dir        string       // made if absent; one process at a time
	SyncAlways bool         // fsync before each acknowledgement; else every two minutes, and power loss loses messages
	User       string       // with Password: what clients must say; "": nothing
	Password   string       // with User
	Token      string       // instead of User and Password
	Log        *slog.Logger // of its warnings and errors; default slog.Default()
}

// Embedded is a NATS server with JetStream inside this process.
type Embedded struct {
	config EmbeddedConfig
	opts   *server.Options // with the port that was chosen: the server writes it back
	lock   *os.File

	mu      sync.Mutex
	srv     *server.Server // guarded by mu
	trouble error          // why it cannot write; guarded by mu
	failed  chan struct{}  // closed when trouble comes, and replaced when it is over; guarded by mu
}

// StartEmbedded returns once the server takes connections. Its errors are those that the user can fix: a port in use,
// a directory that cannot be written, or that another process uses. Run looks after it.
func StartEmbedded(c EmbeddedConfig) (*Embedded, error) {
	c.Log = cmp.Or(c.Log, slog.Default())
	opts, err := c.options()
	if err != nil {
		return nil, err
	}
	if err := probe(c.Listen); err != nil {
		return nil, err
	}
	lock, err := lockDir(c.Dir)
	if err != nil {
		return nil, err
	}
	srv, err := launch(opts, c.Log)
	if err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("embedded NATS server: %w", err)
	}
	return &Embedded{config: c, opts: opts, lock: lock, srv: srv, failed: make(chan struct{})}, nil
}

// ClientURL is where others connect, with the port that was chosen; empty without a socket.
func (e *Embedded) ClientURL() string {
	if e.config.Listen == "" {
		return ""
	}
	return e.server().ClientURL()
}

// InProcessConn is a connection to the server as it runs now.
func (e *Embedded) InProcessConn() (net.Conn, error) { return e.server().InProcessConn() }

func (e *Embedded) server() *server.Server {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.srv
}

// Close stops the server and waits until its files are closed. It may be called more than once.
func (e *Embedded) Close() {
	stop(e.server())
	_ = e.lock.Close()
}

func stop(srv *server.Server) {
	srv.Shutdown()
	srv.WaitForShutdown()
}

func (c EmbeddedConfig) options() (*server.Options, error) {
	opts := &server.Options{
		ServerName: "jobwatch",
		DontListen: c.Listen == "",
		JetStream:  true,
		StoreDir:   c.Dir,
		SyncAlways: c.SyncAlways,
		NoSigs:     true,

		Username: c.User, Password: c.Password, Authorization: c.Token,
	}
	if opts.DontListen {
		return opts, nil
	}
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return nil, fmt.Errorf("nats.embedded.listen %q: write host:port, as 127.0.0.1:4222", c.Listen)
	}
	opts.Host = cmp.Or(host, server.DEFAULT_HOST)
	opts.Port, err = strconv.Atoi(port)
	if err != nil || opts.Port < -1 || opts.Port > 65535 {
		return nil, fmt.Errorf("nats.embedded.listen %q: port must be a number up to 65535", c.Listen)
	}
	if opts.Port == 0 {
		opts.Port = server.RANDOM_PORT
	}
	return opts, nil
}

// probe finds a taken port before the server does, whose own error is a fatal one.
func probe(listen string) error {
	if listen == "" {
		return nil
	}
	l, err := net.Listen("tcp", listen)
	switch {
	case err == nil:
		return l.Close()
	case system.AddressInUse(err):
		return fmt.Errorf("nats.embedded.listen %s: address already in use; stop what uses it or choose another", listen)
	}
	return fmt.Errorf("nats.embedded.listen %s: %w; choose another", listen, innermost(err))
}

const lockName = "jobwatch.lock"

// lockDir makes the directory and keeps other processes out: two servers on one store would destroy it.
func lockDir(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, unusable(dir, err)
	}
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, unusable(dir, err)
	}
	if err := system.Lock(f); err != nil {
		_ = f.Close()
		return nil, dirInUse(dir)
	}
	return f, nil
}

// DirFree says whether another process has its streams in the directory. It makes nothing.
func DirFree(dir string) error {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return unusable(dir, err)
	}
	defer f.Close()
	if err := system.Lock(f); err != nil {
		return dirInUse(dir)
	}
	return nil
}

func dirInUse(dir string) error {
	return fmt.Errorf("nats.embedded.dir %s: in use by another process; stop it or choose another directory", dir)
}

func unusable(dir string, err error) error {
	return fmt.Errorf("nats.embedded.dir %s: %w; let jobwatch write there or choose another", dir, innermost(err))
}

// innermost drops the names of system calls and paths that our own words say already.
func innermost(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	var op *net.OpError
	if !errors.As(err, &op) {
		return err
	}
	var call *os.SyscallError
	if errors.As(op.Err, &call) {
		return call.Err
	}
	return op.Err
}

func launch(opts *server.Options, log *slog.Logger) (*server.Server, error) {
	srv, err := server.NewServer(opts)
	if err != nil {
		return nil, err
	}
	logs := &serverLog{log: log}
	srv.SetLoggerV2(logs, false, false, false)
	srv.Start()
	if err := logs.started(); err != nil {
		srv.Shutdown()
		return nil, err
	}
	if !srv.ReadyForConnections(10 * time.Second) {
		srv.Shutdown()
		return nil, errors.New("takes no connections after 10 s")
	}
	return srv, nil
}

// serverLog takes the embedded server's log: warnings and errors only. What is fatal to a server of its own, which
// would end the process, is an error of StartEmbedded.
type serverLog struct {
	log *slog.Logger

	mu    sync.Mutex
	up    bool
	fatal error // the first one
}

func (l *serverLog) Noticef(string, ...any) {}
func (l *serverLog) Debugf(string, ...any)  {}
func (l *serverLog) Tracef(string, ...any)  {}

func (l *serverLog) Warnf(format string, args ...any) {
	l.log.Warn("embedded NATS server: " + fmt.Sprintf(format, args...))
}

func (l *serverLog) Errorf(format string, args ...any) {
	l.log.Error("embedded NATS server: " + fmt.Sprintf(format, args...))
}

func (l *serverLog) Fatalf(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.up {
		l.Errorf(format, args...)
	} else if l.fatal == nil {
		l.fatal = fmt.Errorf(format, args...)
	}
}

// started ends the start: what is fatal from now on is logged.
func (l *serverLog) started() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.up = true
	return l.fatal
}
