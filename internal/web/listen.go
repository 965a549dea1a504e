package web

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

// TLS secures the listener; the zero value is plain HTTP.
type TLS struct {
	Certificate *tls.Certificate
	ClientCAs   *x509.CertPool // every reader needs a certificate of these; only with Certificate
}

// LoadTLS reads PEM files; empty names give the zero TLS.
func LoadTLS(certFile, keyFile, clientCAFile string) (TLS, error) {
	var t TLS
	if certFile == "" {
		return t, nil
	}
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return t, fmt.Errorf("http.tls.cert_file %s, key_file %s: %w", certFile, keyFile, err)
	}
	t.Certificate = &pair
	if clientCAFile == "" {
		return t, nil
	}
	pem, err := os.ReadFile(clientCAFile)
	if err != nil {
		return t, fmt.Errorf("http.tls.client_ca_file: %w", err)
	}
	t.ClientCAs = x509.NewCertPool()
	if !t.ClientCAs.AppendCertsFromPEM(pem) {
		return t, fmt.Errorf("http.tls.client_ca_file: %s holds no certificate in PEM form", clientCAFile)
	}
	return t, nil
}

// Bind takes the address, so that a start fails at once where it cannot be had.
func (c Config) Bind() (net.Listener, error) {
	listener, err := net.Listen("tcp", c.Listen)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf(`http.listen %s: %w; stop what uses it, or set another ("": no HTTP)`, c.Listen, syscall.EADDRINUSE)
	case err != nil:
		return nil, fmt.Errorf(`http.listen %s: %w; set another address ("": no HTTP)`, c.Listen, innermost(err))
	case c.TLS.Certificate == nil:
		return listener, nil
	}
	secure := &tls.Config{
		Certificates: []tls.Certificate{*c.TLS.Certificate}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
	}
	if c.TLS.ClientCAs != nil {
		secure.ClientCAs, secure.ClientAuth = c.TLS.ClientCAs, tls.RequireAndVerifyClientCert
	}
	return tls.NewListener(listener, secure), nil
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
