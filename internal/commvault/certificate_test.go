package commvault

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"testing"
	"time"
)

// secured answers as limited does, through TLS.
type secured struct {
	limited
	ends []time.Time // of the chain
}

func (s *secured) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := s.limited.RoundTrip(r)
	if err == nil && s.ends != nil {
		response.TLS = &tls.ConnectionState{}
		for _, at := range s.ends {
			response.TLS.PeerCertificates = append(response.TLS.PeerCertificates, &x509.Certificate{NotAfter: at})
		}
	}
	return response, err
}

func TestWhenTheCertificateEnds(t *testing.T) {
	soon := time.Now().Add(24 * time.Hour).Truncate(time.Second)
	later := soon.Add(24 * time.Hour)
	for _, row := range []struct {
		code  int
		ends  []time.Time
		first time.Time
	}{
		{200, nil, time.Time{}},
		{200, []time.Time{soon, later}, soon},
		{500, []time.Time{later, soon}, soon}, // an error is an answer, too
	} {
		server := &secured{limited{row.code, nil}, row.ends}
		c := newClient(t, Config{Transport: server})
		if ends := c.CertificateEnds(); !ends.IsZero() {
			t.Errorf("before any answer: %v", ends)
		}
		_ = ask(t, c)
		if ends := c.CertificateEnds(); !ends.Equal(row.first) {
			t.Errorf("of %v the first is %v, want %v", row.ends, ends, row.first)
		}
		server.ends = nil
		_ = ask(t, c)
		if ends := c.CertificateEnds(); !ends.IsZero() {
			t.Errorf("without TLS: %v", ends)
		}
	}
}
