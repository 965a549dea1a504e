package web

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

var everything = []string{
	"/", "/page/page.js", "/page/page.css", "/page/icon.svg", "/healthz", "/readyz", "/metrics",
	"/api/v1/jobs", "/api/v1/jobs/prod/71", "/api/v1/status", "/api/v1/table", "/api/v1/jobs/prod/71/events", "/api/v1/openapi.json", "/api/v1/build",
}

func TestEachAnswer(t *testing.T) {
	w := newWorld(t)
	w.becomes(http.StatusServiceUnavailable, "ok    nats")
	w.sees(running(71))
	for _, path := range everything {
		code, body, header := w.ask(http.MethodGet, path, nil)
		if code != http.StatusOK {
			t.Errorf("%s: %d %s", path, code, body)
		}
		for name, want := range map[string]string{
			"Content-Security-Policy": "default-src 'self'",
			"X-Content-Type-Options":  "nosniff",
			"X-Frame-Options":         "DENY",
			"Referrer-Policy":         "no-referrer",
			"Cache-Control":           "no-",
		} {
			if got := header.Get(name); !strings.HasPrefix(got, want) {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
		for name := range header {
			if strings.HasPrefix(name, "Access-Control") {
				t.Errorf("%s: another site may read it: %s", path, name)
			}
		}
		if code, body, _ := w.ask(http.MethodHead, path, nil); code != http.StatusOK || body != "" {
			t.Errorf("HEAD %s: %d %q", path, code, body)
		}
	}
	if _, _, header := w.ask(http.MethodGet, "/api/v1/jobs", nil); header.Get("Cache-Control") != "no-store" {
		t.Error("what the API says may be stored")
	}
	for _, path := range []string{"/api/v1/events", "/api/v1/live"} {
		if code, _, header := w.ask(http.MethodHead, path, nil); code != http.StatusOK || header.Get("Content-Type") != "text/event-stream" {
			t.Errorf("HEAD of %s: %d %v", path, code, header)
		}
	}
}

func TestReadOnly(t *testing.T) {
	w := newWorld(t)
	for _, path := range append([]string{"/api/v1/events", "/api/v1/live", "/nothing"}, everything...) {
		for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"} {
			code, body, header := w.ask(method, path, nil)
			if code != http.StatusMethodNotAllowed || header.Get("Allow") != "GET, HEAD" || !strings.Contains(body, `{"error":"this API is read-only"}`) {
				t.Errorf("%s %s: got %d %s", method, path, code, body)
			}
		}
	}
}

func TestNoSuchAddress(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/nothing", "/page/", "/page/start.html", "/page/../web.go", "/api/", "/api/v1/", "/api/v2/jobs", "/api/v1/jobs/prod"} {
		code, body, _ := w.ask(http.MethodGet, path, nil)
		if code != http.StatusNotFound {
			t.Errorf("%s: got %d %s", path, code, body)
		}
		if strings.HasPrefix(path, "/api") && !strings.HasPrefix(body, `{"error":`) {
			t.Errorf("%s: %q is no JSON", path, body)
		}
	}
}

func TestHost(t *testing.T) {
	for _, row := range []struct {
		host, listen, token string
		want                int
	}{
		{"127.0.0.1:9480", "127.0.0.1:9480", "", 200},
		{"127.0.0.1", "127.0.0.1:9480", "", 200},
		{"localhost:9480", "127.0.0.1:9480", "", 200},
		{"LOCALHOST", "127.0.0.1:9480", "", 200},
		{"[::1]:9480", "127.0.0.1:9480", "", 200},
		{"10.1.2.3:9480", "0.0.0.0:9480", "", 200}, // an address cannot be pointed elsewhere
		{"watch.example.com:9480", "watch.example.com:9480", "", 200},
		{"evil.example.com", "127.0.0.1:9480", "", 403},
		{"evil.example.com", "0.0.0.0:9480", "", 403},
		{"localhost.evil.example.com", "127.0.0.1:9480", "", 403},
		{"127.0.0.1.evil.example.com", "127.0.0.1:9480", "", 403},
		{"evil.example.com", "127.0.0.1:9480", "s3cret", 200},
		{"", ":9480", "", 403},
	} {
		s := &Server{Config: Config{Listen: row.listen, Token: row.token, Log: slog.New(slog.DiscardHandler)}}
		handler := s.guard(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
		r.Host = row.host
		r.SetBasicAuth("", row.token)
		got := httptest.NewRecorder()
		if handler.ServeHTTP(got, r); got.Code != row.want {
			t.Errorf("Host %q at %s: got %d %s, want %d", row.host, row.listen, got.Code, got.Body, row.want)
		}
	}
	w := newWorld(t)
	if code, body, _ := w.ask(http.MethodGet, "/", func(r *http.Request) { r.Host = "evil.example.com" }); code != http.StatusForbidden {
		t.Errorf("over the wire: got %d %s", code, body)
	}
}

func TestToken(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Token = "s3cret" })
	w.becomes(http.StatusServiceUnavailable, "ok    nats")
	w.sees(running(71))
	bearer := func(value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("Authorization", value) }
	}
	basic := func(user, password string) func(*http.Request) {
		return func(r *http.Request) { r.SetBasicAuth(user, password) }
	}
	for _, row := range []struct {
		what string
		auth func(*http.Request)
		want int
	}{
		{"nothing", nil, 401},
		{"bearer", bearer("Bearer s3cret"), 200},
		{"bearer, small", bearer("bearer s3cret"), 200},
		{"basic", basic("anyone", "s3cret"), 200},
		{"basic without a user", basic("", "s3cret"), 200},
		{"wrong bearer", bearer("Bearer s3cre"), 401},
		{"longer bearer", bearer("Bearer s3crets"), 401},
		{"empty bearer", bearer("Bearer "), 401},
		{"token alone", bearer("s3cret"), 401},
		{"wrong password", basic("s3cret", "x"), 401},
		{"no password", basic("s3cret", ""), 401},
	} {
		for _, path := range append([]string{"/nothing"}, everything...) {
			want := row.want
			switch {
			case open(path):
				want = 200
			case path == "/nothing" && want == 200:
				want = 404
			}
			code, body, header := w.ask(http.MethodGet, path, row.auth)
			if code != want {
				t.Errorf("%s, %s: got %d %s, want %d", path, row.what, code, body, want)
			}
			if code == 401 && (strings.Contains(body, "prod") || len(header.Values("WWW-Authenticate")) != 2) {
				t.Errorf("%s, %s: told %s, %v", path, row.what, body, header)
			}
		}
	}
	for _, path := range []string{"/api/v1/events", "/api/v1/live"} {
		if code, _, _ := w.ask(http.MethodGet, path, nil); code != 401 {
			t.Errorf("%s without the token: %d", path, code)
		}
	}
}

func TestPanicStaysWithItsRequest(t *testing.T) {
	var said strings.Builder
	s := &Server{Config: Config{Log: slog.New(slog.NewTextHandler(&said, nil))}}
	server := httptest.NewServer(s.guard(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("a secret") })))
	defer server.Close()
	response, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var body strings.Builder
	if err := response.Write(&body); err != nil || response.StatusCode != http.StatusInternalServerError || strings.Contains(body.String(), "a secret") {
		t.Errorf("got %s, %v", body.String(), err)
	}
	if again, err := http.Get(server.URL); err != nil || again.Body.Close() != nil { // as a page does, every few seconds
		t.Error(err)
	}
	if strings.Count(said.String(), "a secret") != 1 {
		t.Errorf("logged %q", said.String())
	}
}
