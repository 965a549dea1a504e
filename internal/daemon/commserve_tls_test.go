package daemon

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"jobwatch/internal/config"
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
	a.cert, a.key = a.sign("ca", time.Hour)
	return a
}

func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }

// sign writes name.pem and name.key, for that host: 127.0.0.1 is one.
func (a *authority) sign(name string, life time.Duration) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(life), IsCA: a.cert == nil, BasicConstraintsValid: a.cert == nil,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	if ip := net.ParseIP(name); ip != nil {
		template.DNSNames, template.IPAddresses = nil, []net.IP{ip}
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	secret, keyErr := x509.MarshalPKCS8PrivateKey(key)
	cert, certErr := x509.ParseCertificate(der)
	if err := errors.Join(err, keyErr, certErr,
		os.WriteFile(a.file(name+".pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600),
		os.WriteFile(a.file(name+".key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600)); err != nil {
		a.t.Fatal(err)
	}
	return cert, key
}

func (a *authority) pair(name string) tls.Certificate {
	a.t.Helper()
	pair, err := tls.LoadX509KeyPair(a.file(name+".pem"), a.file(name+".key"))
	if err != nil {
		a.t.Fatal(err)
	}
	return pair
}

// TestWhoIsTakenForTheCommServe: a token goes to nobody whose certificate does not show that he is the one that is meant, and a
// CommServe, or a proxy before it, that wants a certificate gets the configured one.
func TestWhoIsTakenForTheCommServe(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	for _, a := range []*authority{ours, theirs} {
		a.sign("127.0.0.1", time.Hour)
		a.sign("watcher", time.Hour)
	}
	ours.sign("cs.example.com", time.Hour)
	past := newAuthority(t)
	past.sign("127.0.0.1", -24*time.Hour)
	trusting := func(a *authority) config.TLS { return config.TLS{CAFile: a.file("ca.pem")} }
	showing := func(a *authority) config.TLS {
		return config.TLS{CAFile: ours.file("ca.pem"), CertFile: a.file("watcher.pem"), KeyFile: a.file("watcher.key")}
	}
	for name, row := range map[string]struct {
		is     tls.Certificate
		wants  *authority // of its clients
		config config.TLS
		refuse string // "": it is asked
	}{
		"signed by our authority":             {ours.pair("127.0.0.1"), nil, trusting(ours), ""},
		"the system knows no such authority":  {ours.pair("127.0.0.1"), nil, config.TLS{}, "unknown authority"},
		"signed by another":                   {theirs.pair("127.0.0.1"), nil, trusting(ours), "unknown authority"},
		"with the name of another":            {ours.pair("cs.example.com"), nil, trusting(ours), "127.0.0.1"},
		"it has expired":                      {past.pair("127.0.0.1"), nil, trusting(past), " ended on "},
		"whoever it is":                       {theirs.pair("127.0.0.1"), nil, config.TLS{InsecureSkipVerify: true}, ""},
		"it wants a certificate, and gets it": {ours.pair("127.0.0.1"), ours, showing(ours), ""},
		"it wants one, and there is none":     {ours.pair("127.0.0.1"), ours, trusting(ours), "certificate required"},
		"it wants one, and gets a stranger's": {ours.pair("127.0.0.1"), ours, showing(theirs), "unknown certificate authority"},
	} {
		t.Run(name, func(t *testing.T) {
			var asked, told atomic.Int64
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				asked.Add(1)
				if r.Header.Get("Authtoken") != "" {
					told.Add(1)
				}
			}))
			server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
			server.TLS = &tls.Config{Certificates: []tls.Certificate{row.is}}
			if row.wants != nil {
				server.TLS.ClientAuth, server.TLS.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
				server.TLS.ClientCAs.AddCert(row.wants.cert)
			}
			server.StartTLS()
			defer server.Close()
			client, err := NewClient(config.CommCell{
				Name: "prod", URL: server.URL, Auth: config.Auth{Token: "s3cret-token"}, TLS: row.config, Timeout: time.Minute,
			}, nil, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			_, err = client.JobDetails(t.Context(), 71) // an empty answer is an error, too
			if (row.refuse == "") != (told.Load() == 1) || asked.Load() != told.Load() {
				t.Errorf("asked %d times, told the token %d times: %v", asked.Load(), told.Load(), err)
			}
			if err == nil || !strings.Contains(err.Error(), row.refuse) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("got %v, want %q in it", err, row.refuse)
			}
		})
	}
}
