package tlsfile

import (
	"crypto/tls"
	"net/http"
	"sync"
)

// Transport has requests go through connections of the settings of now: when the files have changed, through new ones.
// base is as all of them are to be; it is not used itself.
func Transport(base *http.Transport, source Source) http.RoundTripper {
	return &transport{base: base, source: source}
}

type transport struct {
	base   *http.Transport
	source Source

	mu      sync.Mutex
	of      *tls.Config
	current *http.Transport
}

func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	return t.now().RoundTrip(r)
}

func (t *transport) now() *http.Transport {
	of := t.source()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.of == of {
		return t.current
	}
	t.closeIdle()
	t.of, t.current = of, t.base.Clone()
	t.current.TLSClientConfig = of.Clone() // it adds to them
	return t.current
}

// CloseIdleConnections is http.Client's.
func (t *transport) CloseIdleConnections() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closeIdle()
}

// closeIdle has requests under way end first.
func (t *transport) closeIdle() {
	if t.current != nil {
		t.current.CloseIdleConnections()
	}
}
