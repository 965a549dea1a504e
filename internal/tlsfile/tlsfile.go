// Package tlsfile makes TLS settings of certificates in files, and makes them anew when the files have changed: who
// renews a certificate restarts nothing.
package tlsfile

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"
)

// Files name what secures a connection. Relative to Key, which begins each error, their keys are ca_file or client_ca_file,
// cert_file and key_file.
type Files struct {
	Key              string // of the configuration: nats.tls
	CA               string // who is trusted instead of the system's authorities; of a server: who signs its clients' certificates
	Cert, PrivateKey string // the certificate and its key; both or neither

	InsecureSkipVerify bool // of a client
}

// Source gives the settings of now, to be asked for at each connection. They stay the same ones as long as the files do.
// Files that cannot be used, such as a certificate whose key is not there yet, leave in force what was in force before,
// and the log says so.
type Source func() *tls.Config

// Client gives the settings of one who connects; nil where they are the system's own. The files have to be there.
func Client(f Files, log *slog.Logger) (Source, error) {
	if f.CA == "" && f.Cert == "" && !f.InsecureSkipVerify {
		return nil, nil
	}
	return f.source("ca_file", log, func(pool *x509.CertPool, own []tls.Certificate) *tls.Config {
		return &tls.Config{RootCAs: pool, Certificates: own, InsecureSkipVerify: f.InsecureSkipVerify, MinVersion: tls.VersionTLS12}
	})
}

// Server gives the settings of one who is connected to; nil where there is no certificate. With CA, each client has to show
// a certificate.
func Server(f Files, log *slog.Logger) (Source, error) {
	if f.Cert == "" {
		return nil, nil
	}
	return f.source("client_ca_file", log, func(pool *x509.CertPool, own []tls.Certificate) *tls.Config {
		c := &tls.Config{Certificates: own, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
		if pool != nil {
			c.ClientCAs, c.ClientAuth = pool, tls.RequireAndVerifyClientCert
		}
		return c
	})
}

func (f Files) source(caKey string, log *slog.Logger, build func(*x509.CertPool, []tls.Certificate) *tls.Config) (Source, error) {
	r := &reader{files: f, caKey: f.Key + "." + caKey, build: build, log: log}
	if err := r.read(); err != nil {
		return nil, err
	}
	return r.present, nil
}

type reader struct {
	files Files
	caKey string
	build func(*x509.CertPool, []tls.Certificate) *tls.Config
	log   *slog.Logger

	mu     sync.Mutex
	seen   []seen
	texts  [][]byte // that good was made of
	good   *tls.Config
	warned string
}

// present reads only what has changed: it is asked before each request.
func (r *reader) present() *tls.Config {
	r.mu.Lock()
	defer r.mu.Unlock()
	if slices.ContainsFunc(r.seen, seen.changed) {
		r.readAgain()
	}
	return r.good
}

func (r *reader) readAgain() {
	before := r.good
	err := r.read()
	switch {
	case err != nil && err.Error() != r.warned:
		r.warned = err.Error()
		r.log.Warn("changed files cannot be used; those read before stay in force", "err", err)
	case err == nil && (r.good != before || r.warned != ""):
		r.warned = ""
		r.log.Info(r.files.Key + ": changed certificates are in force")
	}
}

// read leaves the settings as they are on an error, and where the files hold what they held.
func (r *reader) read() error {
	var now []seen
	var texts [][]byte
	for _, file := range []struct{ key, name string }{
		{r.caKey, r.files.CA}, {r.files.Key + ".cert_file", r.files.Cert}, {r.files.Key + ".key_file", r.files.PrivateKey},
	} {
		looked := look(file.name)
		var text []byte
		if file.name != "" {
			var err error
			if text, err = os.ReadFile(file.name); err != nil {
				return fmt.Errorf("%s: %w", file.key, err)
			}
		}
		now, texts = append(now, looked), append(texts, text)
	}
	if r.good == nil || !slices.EqualFunc(texts, r.texts, bytes.Equal) {
		next, err := r.parse(texts)
		if err != nil {
			return err
		}
		r.good, r.texts = next, texts
	}
	r.seen = now
	return nil
}

func (r *reader) parse(texts [][]byte) (*tls.Config, error) {
	var pool *x509.CertPool
	if r.files.CA != "" {
		pool = x509.NewCertPool()
		if !pool.AppendCertsFromPEM(texts[0]) {
			return nil, fmt.Errorf("%s: %s holds no certificate in PEM form", r.caKey, r.files.CA)
		}
	}
	var own []tls.Certificate
	if r.files.Cert != "" {
		pair, err := tls.X509KeyPair(texts[1], texts[2])
		if err != nil {
			return nil, fmt.Errorf("%s.cert_file %s, key_file %s: %w", r.files.Key, r.files.Cert, r.files.PrivateKey, err)
		}
		own = append(own, pair)
	}
	return r.build(pool, own), nil
}

// seen is what a file was like just before it was read.
type seen struct {
	name string
	info os.FileInfo
	at   time.Time
}

// settles is how old a file has to be for its time to tell that it was not written again since: clocks of files are coarse.
const settles = time.Second

func look(name string) seen {
	at := time.Now()
	info, _ := os.Stat(name) // nil: read anew, which says why
	return seen{name, info, at}
}

func (s seen) changed() bool {
	if s.name == "" {
		return false
	}
	now, err := os.Stat(s.name)
	return err != nil || s.info == nil || !os.SameFile(now, s.info) || now.Size() != s.info.Size() ||
		!now.ModTime().Equal(s.info.ModTime()) || now.ModTime().After(s.at.Add(-settles))
}
