package webhook

import (
	"crypto/tls"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"jobwatch/internal/config"
	"jobwatch/internal/job"
	"jobwatch/internal/relay"
	"jobwatch/internal/tlsfile"
)

// loopback is what a receiver of a test lies on.
var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

func newWebhook(t *testing.T, c Config) *Webhook {
	t.Helper()
	w, err := New(prepared(c))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.transport.CloseIdleConnections)
	return w
}

func prepared(c Config) Config {
	c.ReadSecret, c.Version = config.ReadSecret, "1.2.3"
	if c.Allow == nil {
		c.Allow = loopback
	}
	return c
}

// trusting is for the server's certificate.
func trusting(s *httptest.Server) tlsfile.Source {
	trusts := &tls.Config{RootCAs: s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}
	return func() *tls.Config { return trusts }
}

func receiver(t *testing.T, handle http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(handle)
	t.Cleanup(s.Close)
	return s
}

func secureReceiver(t *testing.T, handle http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewTLSServer(handle)
	t.Cleanup(s.Close)
	return s
}

// file holds a text, and is written anew by another call with its name.
func file(t *testing.T, name, text string) string {
	t.Helper()
	if !filepath.IsAbs(name) {
		name = filepath.Join(t.TempDir(), name)
	}
	if err := os.WriteFile(name, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// secretOf is a secret whose bytes are all the letter.
func secretOf(letter string) string {
	return secretPrefix + base64.StdEncoding.EncodeToString([]byte(strings.Repeat(letter, 32)))
}

const completed = `{"specversion":"1.0","id":"q7m2xk3vb9t4hs6c-000000000003","source":"/commcells/prod","type":"jobwatch.job.state.v1","subject":"jobs/1248","time":"2026-11-23T14:00:00.123Z","datacontenttype":"application/json","dataschema":"urn:jobwatch:job-change:v1","sequence":"00000000000000000003","partitionkey":"prod/1248","data":{"change":{"kind":"state","detail":"completed","from":"Running","to":"Completed","notBefore":"2026-11-23T13:59:30.118Z","observedAt":"2026-11-23T14:00:00.123Z"},"severity":"info","job":{"commcell":"prod","id":1248,"state":"Completed","stateClass":"succeeded","terminal":true,"phase":null,"client":"skma_2","sizeOfApplication":18446744073709551615}}}`

func eventOf(data string) *relay.Event {
	return &relay.Event{Sequence: 7, ID: "q7m2xk3vb9t4hs6c-000000000003", Job: job.ID{CommCell: "prod", Number: 1248}, Data: []byte(data)}
}

func batchOf(events ...*relay.Event) relay.Batch { return relay.Batch{Events: events} }
