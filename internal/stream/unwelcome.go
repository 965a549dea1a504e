package stream

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/nats-io/nats.go"
)

// explainDial says why a connection came to nothing, in words that stay the same from try to try, and which key fixes it.
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
		return errors.New(err.Error() + "; name its authority in nats.tls.ca_file, and the server in nats.url as its certificate does")
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
