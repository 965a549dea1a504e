package slack

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"jobwatch/internal/relay"
)

// TestNothingFollowsARedirect: the body has the token, and what leads elsewhere is not Slack.
func TestNothingFollowsARedirect(t *testing.T) {
	var followed atomic.Int64
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed.Add(1) }))
	defer elsewhere.Close()
	for _, code := range []int{301, 302, 303, 307, 308} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL+"/api/chat.postMessage", code)
		}))
		defer server.Close()
		w := newWorld(t, func(c *Config) { c.APIURL = server.URL })
		w.refuses(relay.Away, life()[0])
		w.config = Config{Relay: "ops", WebhookURL: func() (string, error) { return server.URL + "/services/T0/B0/s3cr3t-part", nil }, Memory: w.memory}
		w.restarts()
		if refusal := w.refuses(relay.Away, life()[0]); strings.Contains(refusal.Reason, "s3cr3t") {
			t.Error(refusal.Reason)
		}
	}
	if n := followed.Load(); n > 0 {
		t.Errorf("followed %d times", n)
	}
}
