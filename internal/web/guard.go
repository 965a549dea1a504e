package web

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"
)

const (
	requestLimit = 4 << 10          // bytes of a body, which nothing here reads
	answerWithin = 30 * time.Second // of every answer but a stream of events
)

// guard keeps out what may not read, and sees to it that what happens to one request happens to no other.
//
// A page of another site must not read through a name that it has pointed at us (DNS rebinding). Such
// a page does not know the token and has no client certificate; without either, Host has to be an
// address, localhost, or the name that is listened on. No answer carries a CORS header.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer s.contain(w, r)
		secure(w.Header(), r.URL.Path)
		switch {
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			refuse(w, http.StatusMethodNotAllowed, "this API is read-only")
		case !s.knowsHost(r.Host):
			refuse(w, http.StatusForbidden,
				fmt.Sprintf("Host %.100q is not ours; ask by address, have the proxy pass one on as Host, or set http.token_file", r.Host))
		case !open(r.URL.Path) && !s.mayRead(r):
			w.Header().Add("WWW-Authenticate", `Basic realm="jobwatch: any user, the token as password", charset="UTF-8"`)
			w.Header().Add("WWW-Authenticate", `Bearer realm="jobwatch"`)
			refuse(w, http.StatusUnauthorized, "show the token of http.token_file, as a bearer or as a password")
		default:
			r.Body = http.MaxBytesReader(w, r.Body, requestLimit)
			_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerWithin)) // a recorder has none
			next.ServeHTTP(w, r)
		}
	})
}

// contain keeps a panic to the request that met it.
func (s *Server) contain(w http.ResponseWriter, r *http.Request) {
	cause := recover()
	switch cause {
	case nil:
		return
	case http.ErrAbortHandler:
		panic(cause)
	}
	if what := fmt.Sprintf("%s: %v", r.URL.Path, cause); s.ownFault.isNews(what) {
		s.Log.Error("a request met a fault", "err", what+"\n"+string(debug.Stack()))
	}
	refuse(w, http.StatusInternalServerError, "a fault of jobwatch's own; its log says more")
}

func secure(h http.Header, path string) {
	h.Set("Content-Security-Policy", "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-cache")
	if path != "/" && !strings.HasPrefix(path, "/page/") {
		h.Set("Cache-Control", "no-store")
	}
}

// open paths tell nobody more than whether the process does its work.
func open(path string) bool { return path == "/healthz" || path == "/readyz" }

// knowsHost says whether a request may have been meant for us.
func (s *Server) knowsHost(hostport string) bool {
	if s.Token != "" || s.TLS != nil && s.TLS().ClientCAs != nil {
		return true
	}
	host := hostOf(hostport)
	if _, err := netip.ParseAddr(host); err == nil {
		return true // a name is what can be pointed elsewhere
	}
	return strings.EqualFold(host, "localhost") || host != "" && strings.EqualFold(host, hostOf(s.Listen))
}

func hostOf(hostport string) string {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	return strings.TrimSuffix(strings.Trim(host, "[]"), ".")
}

// mayRead accepts the token as a bearer, and as the password of Basic authentication: a browser can
// send that with a stream of events, too.
func (s *Server) mayRead(r *http.Request) bool {
	if s.Token == "" {
		return true
	}
	_, password, basic := r.BasicAuth()
	scheme, bearer, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return basic && same(password, s.Token) || strings.EqualFold(scheme, "Bearer") && same(strings.TrimSpace(bearer), s.Token)
}

// same compares in constant time, whatever the lengths.
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// refuse answers with an error in JSON, one sentence.
func refuse(w http.ResponseWriter, code int, sentence string) {
	answer(w, code, map[string]string{"error": sentence})
}

func answer(w http.ResponseWriter, code int, value any) {
	body := encode(value)
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(code)
	_, _ = w.Write(append(body, '\n'))
}

func encode(value any) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // contained above; a type of ours that JSON cannot say
	}
	return text
}
