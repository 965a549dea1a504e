package daemon

import (
	"crypto/tls"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"jobwatch/internal/commvault"
	"jobwatch/internal/config"
	"jobwatch/internal/testing/certs"
	"jobwatch/internal/tlsfile"
)

// TestRenewedCertificates: everybody's certificates are renewed, and their authority, and nobody is restarted. Each row is
// a connection that the configuration secures.
func TestRenewedCertificates(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	for name, open := range map[string]func(t *testing.T, ours, theirs string) (connects func() error){
		"to the CommServe": func(t *testing.T, ours, theirs string) func() error {
			client, err := NewClient(config.CommCell{
				Name: "prod", URL: serveTLS(t, theirs), Timeout: time.Minute, TLS: installed(ours), Auth: config.Auth{Token: "x"},
			}, nil, log)
			if err != nil {
				t.Fatal(err)
			}
			return func() error {
				_, err := client.JobDetails(t.Context(), 1)
				if commvault.KindOf(err) == commvault.Unreachable {
					return err
				}
				return nil // no answer of a CommServe, but one
			}
		},
		"to a webhook": func(t *testing.T, ours, theirs string) func() error {
			hook, err := openWebhook(config.Relay{Name: "ops", Timeout: time.Minute, Webhook: &config.Webhook{
				URL: serveTLS(t, theirs), TLS: installed(ours), Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
			}}, "1", log)
			if err != nil {
				t.Fatal(err)
			}
			return func() error { return hook.Check(t.Context()) }
		},
		"of the page": func(t *testing.T, ours, theirs string) func() error {
			is := installed(theirs)
			s, err := newSite(config.HTTP{
				Listen: "127.0.0.1:0", TLS: config.HTTPTLS{CertFile: is.CertFile, KeyFile: is.KeyFile, ClientCAFile: is.CAFile},
			}, "1", log)
			if err != nil {
				t.Fatal(err)
			}
			page := &http.Server{Handler: http.NotFoundHandler(), ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
			go func() { _ = page.Serve(s.listener) }()
			t.Cleanup(func() { page.Close() })
			reader, err := NewTLS("tls", installed(ours), log)
			if err != nil {
				t.Fatal(err)
			}
			client := &http.Client{Transport: tlsfile.Transport(new(http.Transport), reader)}
			return func() error {
				answer, err := client.Get("https://" + s.listener.Addr().String())
				if err == nil {
					answer.Body.Close()
				}
				return err
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ours, theirs := t.TempDir(), t.TempDir()
			before, after := certs.New(t), certs.New(t)
			for _, a := range []*certs.Authority{before, after} {
				a.Sign("us")
				a.Sign("them")
			}
			before.Install(ours, "us")
			before.Install(theirs, "them")
			connects := open(t, ours, theirs)
			if err := connects(); err != nil {
				t.Fatal(err)
			}
			after.Install(ours, "us")
			after.Install(theirs, "them")
			if err := connects(); err != nil {
				t.Errorf("renewed: %v", err)
			}
		})
	}
}

func installed(dir string) config.TLS {
	return config.TLS{
		CAFile: filepath.Join(dir, "ca.pem"), CertFile: filepath.Join(dir, "own.pem"), KeyFile: filepath.Join(dir, "own.key"),
	}
}

// serveTLS answers all that comes from who has a certificate, and keeps no connection open.
func serveTLS(t *testing.T, dir string) (url string) {
	t.Helper()
	is := installed(dir)
	source, err := tlsfile.Server(tlsfile.Files{Key: "theirs", CA: is.CAFile, Cert: is.CertFile, PrivateKey: is.KeyFile}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	srv.Config.SetKeepAlivesEnabled(false)
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	srv.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return source(), nil }}
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return srv.URL
}
