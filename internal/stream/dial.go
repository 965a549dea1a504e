package stream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const dialTimeout = 2 * time.Second // for each server: connecting, TLS, credentials

// dial makes one connection to the first server that takes us. found are servers that an earlier one named.
func (b *Broker) dial(ctx context.Context, found []string) (*session, error) {
	servers, err := b.cfg.servers(found)
	if err != nil {
		return nil, err
	}
	s := newSession()
	s.refute = func(why error) { b.refute(s, why) }
	s.lacks = b.warnLack
	opts, err := b.cfg.options(s)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", hosts(servers), err)
	}
	nc, err := connect(ctx, b.inOrder(servers), opts)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", hosts(servers), b.cfg.explainDial(err))
	}
	s.nc, s.host, s.version = nc, hosts(servers), nc.ConnectedServerVersion()
	s.alone = len(servers)+len(nc.DiscoveredServers()) < 2
	if s.version == "" { // NATS tells it as long as it is connected
		return nil, s.whyLost()
	}
	if u, err := url.Parse(nc.ConnectedUrlRedacted()); err == nil && u.Host != "" {
		s.host = u.Host
	}
	if b.cfg.InProcess != nil {
		s.host = "the embedded server"
	}
	if s.domain = b.cfg.Domain; s.domain == "" {
		s.js, err = jetstream.New(nc)
	} else {
		s.js, err = jetstream.NewWithDomain(nc, s.domain)
	}
	return s, err
}

// connect is nats.Connect that ends with ctx: a name server that does not answer has no time-out of its own.
func connect(ctx context.Context, servers []*url.URL, opts []nats.Option) (*nats.Conn, error) {
	var urls []string
	for _, u := range servers {
		urls = append(urls, u.String())
	}
	type result struct {
		nc  *nats.Conn
		err error
	}
	done := make(chan result, 1)
	go func() {
		nc, err := nats.Connect(strings.Join(urls, ","), opts...)
		done <- result{nc, err}
	}()
	select {
	case r := <-done:
		return r.nc, r.err
	case <-ctx.Done():
		go func() {
			if r := <-done; r.nc != nil {
				r.nc.Close()
			}
		}()
		return nil, ctx.Err()
	}
}

// servers are the configured URLs and, behind them, those found, with the first one's credentials.
func (c Config) servers(found []string) ([]*url.URL, error) {
	var servers []*url.URL
	for text := range strings.SplitSeq(c.URL, ",") {
		u, err := parseServer(text)
		if err != nil {
			return nil, err
		}
		servers = append(servers, u)
	}
	for _, text := range found {
		if u, err := parseServer(text); err == nil {
			u.User = servers[0].User
			servers = append(servers, u)
		}
	}
	return servers, nil
}

// parseServer's error leaves the URL out, which may hold a password.
func parseServer(text string) (*url.URL, error) {
	text = strings.TrimSpace(text)
	if !strings.Contains(text, "://") {
		text = "nats://" + text
	}
	u, err := url.Parse(text)
	if err == nil && u.Host != "" {
		return u, nil
	}
	var reason *url.Error
	if errors.As(err, &reason) && !strings.Contains(reason.Err.Error(), "port") { // that one quotes what may be a password
		return nil, fmt.Errorf("nats.url: %w; write nats://host:4222", reason.Err)
	}
	return nil, errors.New("nats.url: not a URL with host and port; write nats://host:4222")
}

func hosts(servers []*url.URL) string {
	var names []string
	for _, u := range servers {
		names = append(names, u.Scheme+"://"+u.Host)
	}
	return strings.Join(names, ",")
}

func (c Config) options(s *session) ([]nats.Option, error) {
	opts := []nats.Option{
		nats.Name(c.Name),
		nats.NoReconnect(), // Run connects again, through another session
		nats.DontRandomize(),
		nats.Timeout(dialTimeout),
		nats.PingInterval(20 * time.Second), // a connection that died in silence is noticed within a minute
		nats.MaxPingsOutstanding(2),
		nats.ClosedHandler(s.onClosed),
		nats.ErrorHandler(s.onError),
	}
	if c.InProcess != nil {
		opts = append(opts, nats.InProcessServer(c.InProcess))
	}
	if c.TLS != nil {
		opts = append(opts, nats.Secure(c.TLS().Clone()))
	}
	if c.HandshakeFirst {
		opts = append(opts, nats.TLSHandshakeFirst())
	}
	return c.appendCredentials(opts)
}

// plain words a connection's error so that it stays the same from try to try, and says what to check.
func plain(err error) error {
	var op *net.OpError
	switch {
	case errors.Is(err, nats.ErrNoServers):
		return errors.New("no NATS server answers there; start it, or mend nats.url")
	case errors.Is(err, nats.ErrAuthorization):
		return errRefused
	case errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked), errors.Is(err, nats.ErrAccountAuthExpired):
		return fmt.Errorf("%w; give jobwatch new ones in nats.creds_file", err)
	case errors.As(err, &op):
		return op.Err // without the port of our end, another one each time
	}
	return err
}

// explainDial says why a connection came to nothing, in words that stay the same from try to try, and which key fixes
// it.
func (c Config) explainDial(err error) error {
	var op *net.OpError
	var record tls.RecordHeaderError
	dialed := !errors.As(err, &op) || op.Op != "dial"
	web := strings.HasPrefix(strings.TrimSpace(c.URL), "ws")
	switch {
	case strings.Contains(err.Error(), "malformed HTTP"), strings.Contains(err.Error(), "invalid websocket connection"),
		web && errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("no such WebSocket there; write nats:// in nats.url for what is none, and wss:// for one with TLS")
	case errors.As(err, &record) && web:
		return errors.New("no TLS there; write ws:// in nats.url for a WebSocket without it, and nats:// for what is none")
	case errors.As(err, &record) && c.HandshakeFirst:
		return errors.New("it does not begin with TLS; set nats.tls.handshake_first to false, or write ws:// in nats.url for a WebSocket")
	case errors.Is(err, nats.ErrSecureConnWanted):
		return errors.New("the server has no TLS; leave nats.tls out, and write nats:// in nats.url")
	case errors.As(err, new(*tls.CertificateVerificationError)):
		return untrusted(err)
	case errors.As(err, &op) && op.Op == "remote error" && strings.Contains(op.Err.Error(), "certificate"):
		return c.ownRefused(op.Err)
	case c.TLS != nil && (errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)): // its reason came too late to be read
		return c.ownRefused(errors.New("closed by the server after the TLS handshake"))
	case errors.Is(err, nats.ErrAuthorization) && c.showsCertificate():
		return fmt.Errorf("%w, or the certificate in nats.tls.cert_file, which may stand for a user", errRefused)
	case dialed && !web && endedSilently(err) && c.HandshakeFirst:
		return errors.New("no answer after the TLS handshake; is it a WebSocket (wss:// in nats.url)?")
	case dialed && !web && endedSilently(err):
		return errors.New("connected, and NATS says nothing: a server that wants TLS first needs nats.tls.handshake_first: true, " +
			"a WebSocket ws:// or wss:// in nats.url")
	}
	return plain(err)
}

// endedSilently says whether the connection ended before the server said anything.
func endedSilently(err error) bool {
	var late net.Error
	return errors.Is(err, io.EOF) || errors.As(err, &late) && late.Timeout()
}
