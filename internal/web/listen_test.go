package web

import (
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"jobwatch/internal/testing/certs"
	"jobwatch/internal/tlsfile"
)

// shows has the world's client trust the authority, and show a certificate if it is named.
func (w *world) shows(a *certs.Authority, name string) {
	w.Helper()
	trusts := &tls.Config{RootCAs: a.Pool()}
	if name != "" {
		trusts.Certificates = []tls.Certificate{a.Pair(name)}
	}
	w.client = &http.Client{Transport: &http.Transport{TLSClientConfig: trusts, ForceAttemptHTTP2: true}}
	w.Cleanup(w.client.CloseIdleConnections)
}

func TestClientCertificate(t *testing.T) {
	ours, theirs := certs.New(t), certs.New(t)
	ours.Sign("server")
	ours.Sign("reader")
	theirs.Sign("stranger")
	w := newWorld(t, func(c *Config) { c.TLS = served(t, ours) })
	w.shows(ours, "reader")
	if code, body := w.get("/api/v1/status"); code != http.StatusOK {
		t.Errorf("with a certificate: %d %s", code, body)
	}
	l := w.follows("", "") // over HTTP/2
	w.joined(1)
	w.sees(running(71))
	l.wants("state prod/71 Running")

	for _, row := range []struct {
		of   *certs.Authority
		name string
	}{{ours, ""}, {theirs, "stranger"}} {
		w.shows(row.of, row.name)
		w.client.Transport.(*http.Transport).TLSClientConfig.RootCAs.AddCert(ours.Certificate())
		response, err := w.client.Get(w.url + "/healthz")
		if err == nil {
			response.Body.Close()
			t.Errorf("%q is let in", row.name)
		}
	}
}

// served are the settings of a server that lets in those with a certificate of the authority.
func served(t *testing.T, a *certs.Authority) tlsfile.Source {
	t.Helper()
	source, err := tlsfile.Server(tlsfile.Files{
		Key: "http.tls", CA: a.File("ca.pem"), Cert: a.File("server.pem"), PrivateKey: a.File("server.key"),
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return source
}

func TestPortInUse(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	address := taken.Addr().String()
	_, err = Config{Listen: address}.Bind()
	want := "http.listen " + address + `: address already in use; stop what uses it, or set another ("": no HTTP)`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if _, err = (Config{Listen: "192.0.2.1:9480"}).Bind(); err == nil || !strings.HasPrefix(err.Error(), "http.listen 192.0.2.1:9480: cannot assign") {
		t.Errorf("an address of another machine: %v", err)
	}
}
