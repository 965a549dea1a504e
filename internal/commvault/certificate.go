package commvault

import (
	"net/http"
	"sync/atomic"
	"time"
)

// certificate is when the one of the last answer ends, in Unix seconds; 0: there was none.
type certificate struct{ ends atomic.Int64 }

// CertificateEnds is when the CommServe's certificate ends, or one of those that it sends along, if that is sooner; zero: the
// last answer came without TLS.
func (c *Client) CertificateEnds() time.Time {
	if ends := c.certificate.ends.Load(); ends != 0 {
		return time.Unix(ends, 0).UTC()
	}
	return time.Time{}
}

func (k *certificate) observe(response *http.Response) {
	first := int64(0)
	if response.TLS != nil {
		for _, c := range response.TLS.PeerCertificates {
			if at := c.NotAfter.Unix(); first == 0 || at < first {
				first = at
			}
		}
	}
	k.ends.Store(first)
}
