// Package certs makes certificates for tests, in files as administrators have them.
package certs

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
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Authority signs certificates, into files of its own folder.
type Authority struct {
	t    testing.TB
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// New writes ca.pem and ca.key.
func New(t testing.TB) *Authority {
	t.Helper()
	a := &Authority{t: t, dir: t.TempDir()}
	a.cert, a.key = a.sign("ca", func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true })
	return a
}

// File is the path of a file in the authority's folder.
func (a *Authority) File(name string) string { return filepath.Join(a.dir, name) }

// Certificate is the authority's own.
func (a *Authority) Certificate() *x509.Certificate { return a.cert }

// Pool trusts the authority.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// Sign writes name.pem and name.key, for name and for 127.0.0.1, unless changed.
func (a *Authority) Sign(name string, change ...func(*x509.Certificate)) *x509.Certificate {
	a.t.Helper()
	cert, _ := a.sign(name, change...)
	return cert
}

// Pair is what Sign has written.
func (a *Authority) Pair(name string) tls.Certificate {
	a.t.Helper()
	pair, err := tls.LoadX509KeyPair(a.File(name+".pem"), a.File(name+".key"))
	if err != nil {
		a.t.Fatal(err)
	}
	return pair
}

// Expired is a change of what Sign writes: it ended an hour ago.
func Expired(c *x509.Certificate) {
	c.NotBefore, c.NotAfter = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
}

func (a *Authority) sign(name string, change ...func(*x509.Certificate)) (*x509.Certificate, *ecdsa.PrivateKey) {
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
		SerialNumber: serial, Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	for _, f := range change {
		f(template)
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
	a.Write(name+".pem", "CERTIFICATE", der)
	a.Write(name+".key", "PRIVATE KEY", secret)
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert, key
}

// Write writes a file in PEM form.
func (a *Authority) Write(name, kind string, der []byte) {
	a.t.Helper()
	if err := os.WriteFile(a.File(name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		a.t.Fatal(err)
	}
}

// Install puts the authority's certificate, and what Sign has written of a name, into a folder, as ca.pem, own.pem and own.key.
func (a *Authority) Install(dir, name string) {
	a.t.Helper()
	a.Copy("ca.pem", filepath.Join(dir, "ca.pem"))
	a.Copy(name+".pem", filepath.Join(dir, "own.pem"))
	a.Copy(name+".key", filepath.Join(dir, "own.key"))
}

// Copy replaces a file in one stroke, as those do who renew certificates.
func (a *Authority) Copy(name, to string) {
	a.t.Helper()
	text, err := os.ReadFile(a.File(name))
	if err == nil {
		err = os.WriteFile(to+".new", text, 0o600)
	}
	if err == nil {
		err = os.Rename(to+".new", to)
	}
	if err != nil {
		a.t.Fatal(err)
	}
}
