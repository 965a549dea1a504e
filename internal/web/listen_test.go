package web

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// authority signs certificates, into files of its own folder.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t, dir: t.TempDir()}
	a.cert, a.key = a.sign("ca", true)
	return a
}

func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }

// sign writes name.pem and name.key, for 127.0.0.1.
func (a *authority) sign(name string, isCA bool) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<60))
	if err != nil {
		a.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: isCA, BasicConstraintsValid: isCA,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	a.write(name+".pem", "CERTIFICATE", der)
	a.write(name+".key", "PRIVATE KEY", secret)
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert, key
}

func (a *authority) write(name, kind string, der []byte) {
	a.t.Helper()
	if err := os.WriteFile(a.file(name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		a.t.Fatal(err)
	}
}

// shows has the world's client trust the authority, and show a certificate if it is named.
func (w *world) shows(a *authority, name string) {
	w.Helper()
	trusts := &tls.Config{RootCAs: x509.NewCertPool()}
	trusts.RootCAs.AddCert(a.cert)
	if name != "" {
		pair, err := tls.LoadX509KeyPair(a.file(name+".pem"), a.file(name+".key"))
		w.must(err)
		trusts.Certificates = []tls.Certificate{pair}
	}
	w.client = &http.Client{Transport: &http.Transport{TLSClientConfig: trusts, ForceAttemptHTTP2: true}}
	w.Cleanup(w.client.CloseIdleConnections)
}

func TestClientCertificate(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	ours.sign("server", false)
	ours.sign("reader", false)
	theirs.sign("stranger", false)
	secure, err := LoadTLS(ours.file("server.pem"), ours.file("server.key"), ours.file("ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(c *Config) { c.TLS = secure })
	w.shows(ours, "reader")
	if code, body := w.get("/api/v1/status"); code != http.StatusOK {
		t.Errorf("with a certificate: %d %s", code, body)
	}
	l := w.follows("", "") // over HTTP/2
	w.joined(1)
	w.sees(running(71))
	l.wants("state prod/71 Running")

	for _, row := range []struct {
		of   *authority
		name string
	}{{ours, ""}, {theirs, "stranger"}} {
		w.shows(row.of, row.name)
		w.client.Transport.(*http.Transport).TLSClientConfig.RootCAs.AddCert(ours.cert)
		response, err := w.client.Get(w.url + "/healthz")
		if err == nil {
			response.Body.Close()
			t.Errorf("%q is let in", row.name)
		}
	}
}

func TestTLSFiles(t *testing.T) {
	a := newAuthority(t)
	a.sign("server", false)
	a.write("no.pem", "NOTHING", nil)
	cert, key := a.file("server.pem"), a.file("server.key")
	for _, row := range []struct{ cert, key, ca, want string }{
		{"", "", "", ""},
		{cert, key, "", ""},
		{cert, key, a.file("ca.pem"), ""},
		{a.file("x"), key, "", "no such file"},
		{cert, a.file("ca.key"), "", "private key does not match"},
		{cert, key, a.file("x"), "http.tls.client_ca_file: open "},
		{cert, key, a.file("no.pem"), "no.pem holds no certificate in PEM form"},
	} {
		_, err := LoadTLS(row.cert, row.key, row.ca)
		if row.want == "" && err != nil || row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)) {
			t.Errorf("%+v: got %v", row, err)
		}
	}
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
