package web

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"jobwatch/internal/web/page"
)

// TestThePageKeepsToItsPolicy: scripts and styles come from this address alone.
func TestThePageKeepsToItsPolicy(t *testing.T) {
	header := http.Header{}
	secure(header, "/")
	policy := header.Get("Content-Security-Policy")
	for _, part := range []string{"default-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"} {
		if !strings.Contains(policy, part) {
			t.Errorf("%q lacks %s", policy, part)
		}
	}
	for _, part := range []string{"unsafe", "*", "data:", "http", "nonce"} {
		if strings.Contains(policy, part) {
			t.Errorf("%q allows %s", policy, part)
		}
	}
	got := httptest.NewRecorder()
	page.Handler().ServeHTTP(got, httptest.NewRequest(http.MethodGet, "/", nil))
	if !strings.Contains(got.Body.String(), `type="module"></script>`) {
		t.Errorf("this is not the page: %.200s", got.Body)
	}
}
