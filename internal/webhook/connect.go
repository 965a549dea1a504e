package webhook

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"time"
)

// notConnected is an error before anything was sent: nobody has got the event.
type notConnected struct{ err error }

func (n *notConnected) Error() string { return n.err.Error() }
func (n *notConnected) Unwrap() error { return n.err }

// newTransport keeps connections open between two events. There is no proxy: the guard would see the proxy's address
// alone. It speaks HTTP/1.1: a connection that died without a word then costs one event its time, not all of them.
func (w *Webhook) newTransport() *http.Transport {
	return &http.Transport{
		DialContext:            w.dial,
		DialTLSContext:         w.dialTLS,
		DisableCompression:     true, // answers are short, and a bomb stays packed
		MaxIdleConnsPerHost:    1024, // of one host, as many as there were deliveries at once
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
	}
}

func (w *Webhook) dial(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, w.connectTime())
	defer cancel()
	conn, err := w.guard.DialContext(ctx, network, address)
	if err != nil {
		return nil, &notConnected{err}
	}
	return conn, nil
}

func (w *Webhook) dialTLS(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, w.connectTime())
	defer cancel()
	plain, err := w.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	conn := tls.Client(plain, w.tlsFor(address))
	if err := conn.HandshakeContext(ctx); err != nil {
		plain.Close()
		return nil, &notConnected{err}
	}
	return conn, nil
}

func (w *Webhook) tlsFor(address string) *tls.Config {
	config := new(tls.Config)
	if w.config.TLS != nil {
		config = w.config.TLS().Clone()
	}
	if config.ServerName == "" {
		config.ServerName, _, _ = net.SplitHostPort(address)
	}
	return config
}

// connectTime ends before a delivery's time does, so that it shows what took so long.
func (w *Webhook) connectTime() time.Duration {
	return min(longestConnect, w.config.Timeout*2/3)
}

// connect makes the connection that an event would be sent by.
func (w *Webhook) connect(ctx context.Context, to *url.URL) (net.Conn, error) {
	dial, port := w.dialTLS, "443"
	if to.Scheme == "http" {
		dial, port = w.dial, "80"
	}
	if given := to.Port(); given != "" {
		port = given
	}
	return dial(ctx, "tcp", net.JoinHostPort(to.Hostname(), port))
}
