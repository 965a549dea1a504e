package web

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"jobwatch/internal/system"
)

// Bind takes the address, so that a start fails at once where it cannot be had.
func (c Config) Bind() (net.Listener, error) {
	listener, err := net.Listen("tcp", c.Listen)
	switch {
	case system.AddressInUse(err):
		return nil, fmt.Errorf(`http.listen %s: %w; stop what uses it, or set another ("": no HTTP)`, c.Listen, syscall.EADDRINUSE)
	case err != nil:
		return nil, fmt.Errorf(`http.listen %s: %w; set another address ("": no HTTP)`, c.Listen, innermost(err))
	case c.TLS == nil:
		return listener, nil
	}
	now := func(*tls.ClientHelloInfo) (*tls.Config, error) { return c.TLS(), nil }
	return tls.NewListener(listener, &tls.Config{GetConfigForClient: now, MinVersion: tls.VersionTLS12}), nil
}

// innermost drops what our own words say already.
func innermost(err error) error {
	var call *os.SyscallError
	var op *net.OpError
	switch {
	case errors.As(err, &call):
		return call.Err
	case errors.As(err, &op):
		return op.Err
	}
	return err
}

const goodbye = 2 * time.Second // for answers under way, when the program ends

// Run serves, and follows the stream, until ctx ends.
func (s *Server) Run(ctx context.Context, listener net.Listener) error {
	group, ctx := errgroup.WithContext(ctx)
	server := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		BaseContext:       func(net.Listener) context.Context { return ctx }, // ends the streams of events
		ErrorLog:          slog.NewLogLogger(s.Log.Handler(), slog.LevelDebug),
	}
	if s.Store != nil {
		group.Go(func() error { return s.live.run(ctx, s.Publisher.CaughtUp()) })
	}
	group.Go(func() error {
		<-ctx.Done()
		within, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbye)
		defer cancel()
		_ = server.Shutdown(within)
		return server.Close()
	})
	group.Go(func() error {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("http.listen %s: %w", s.Listen, err)
		}
		return nil
	})
	return group.Wait()
}
