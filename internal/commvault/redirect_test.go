package commvault

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestNothingIsSentAfterARedirect: neither a token nor a password, to another host or over plain HTTP to the same, whatever was
// asked and whichever redirect it is.
func TestNothingIsSentAfterARedirect(t *testing.T) {
	folder := t.TempDir()
	var followed atomic.Int64
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed.Add(1) }))
	defer elsewhere.Close()
	for name, config := range map[string]Config{
		"token": {Token: secretToken}, "bearer": {Token: secretToken, Scheme: "bearer"}, "login": {Username: "watcher", Password: secretPassword},
		"pair": {
			AccessTokenFile: inFile(t, folder+"/access", "5ec2e7-access"), RefreshTokenFile: inFile(t, folder+"/refresh", "5ec2e7-refresh"), Scheme: "bearer",
		},
	} {
		for _, code := range []int{301, 302, 303, 307, 308} {
			t.Run(fmt.Sprint(name, " ", code), func(t *testing.T) {
				followed.Store(0)
				var asked atomic.Int64
				server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					asked.Add(1)
					if name == "pair" && !strings.HasSuffix(r.URL.Path, "/Renew") {
						w.WriteHeader(http.StatusUnauthorized)
						return
					}
					http.Redirect(w, r, elsewhere.URL+r.URL.Path, code)
				}))
				defer server.Close()
				config := config
				pool := x509.NewCertPool()
				pool.AddCert(server.Certificate())
				config.URL, config.TLS = server.URL, func() *tls.Config { return &tls.Config{RootCAs: pool} }
				c := newClient(t, config)
				_, details := c.JobDetails(t.Context(), 71)
				_, list := c.Jobs(t.Context(), time.Hour)
				_, summary := c.Summary(t.Context(), 71)
				if details == nil || list == nil || summary == nil {
					t.Errorf("no errors: %v, %v, %v", details, list, summary)
				}
				if asked.Load() == 0 || followed.Load() > 0 {
					t.Errorf("asked %d times, followed %d times: %v", asked.Load(), followed.Load(), details)
				}
			})
		}
	}
}
