package commvault

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"testing"
	"testing/synctest"
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

func TestWhatAnswersShowOfTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now().Truncate(time.Second)
		soon, later := now.Add(24*time.Hour), now.Add(48*time.Hour)
		for _, row := range []struct {
			code  int
			date  string
			ends  []time.Time
			ahead time.Duration // less than a second: none is told
			first time.Time
		}{
			{200, "", nil, 0, time.Time{}},
			{200, now.Add(90 * time.Second).UTC().Format(http.TimeFormat), nil, 90 * time.Second, time.Time{}},
			{500, now.Add(-time.Hour).UTC().Format(http.TimeFormat), []time.Time{later, soon}, -time.Hour, soon}, // an error is an answer, too
			{200, "yesterday", []time.Time{soon, later}, 0, soon},
		} {
			c := newClient(t, Config{Transport: &secured{limited{row.code, map[string]string{"Date": row.date}}, row.ends}})
			if s := c.Server(); s.Ahead != nil || !s.CertificateEnds.IsZero() {
				t.Errorf("before any answer: %+v", s)
			}
			_ = ask(t, c)
			s := c.Server()
			if (s.Ahead != nil) != (row.ahead != 0) || s.Ahead != nil && (*s.Ahead-row.ahead).Abs() > time.Second {
				t.Errorf("Date %q: ahead by %v, want %v", row.date, s.Ahead, row.ahead)
			}
			if !s.CertificateEnds.Equal(row.first) {
				t.Errorf("of %v the first is %v, want %v", row.ends, s.CertificateEnds, row.first)
			}
		}
	})
}
