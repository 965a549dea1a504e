package webhook

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"jobwatch/internal/relay"
)

type (
	ctx  = context.Context
	conn = net.Conn
)

func kindOf(err error) relay.Kind {
	if refused, ok := errors.AsType[*relay.Refusal](err); ok {
		return refused.Kind
	}
	return -1
}

func TestEachAnswer(t *testing.T) {
	kinds := map[int]relay.Kind{
		400: relay.Unfit, 413: relay.Unfit, 415: relay.Unfit, 422: relay.Unfit, 410: relay.Gone,
		401: relay.Away, 403: relay.Away, 404: relay.Away, 407: relay.Away, 429: relay.Away,
	}
	var status int
	s := receiver(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
	w := newWebhook(t, Config{URL: s.URL, AllowHTTP: true})
	for status = 200; status < 600; status++ {
		want, known := kinds[status]
		switch {
		case known:
		case status < 300:
			want = -1
		case status < 400:
			want = relay.Away
		default:
			want = relay.Uncertain
		}
		done, err := w.Deliver(t.Context(), batchOf(eventOf(completed)))
		if got := kindOf(err); got != want || (done == 1) != (want == -1) {
			t.Errorf("%d: kind %d, want %d (%d delivered)", status, got, want, done)
		}
		if refused, ok := errors.AsType[*relay.Refusal](err); ok && refused.Status != status {
			t.Errorf("%d is told as %d", status, refused.Status)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Now()
	for _, row := range []struct {
		status   int
		after    string
		date     time.Time
		from, to time.Duration
	}{
		{429, "7", now, 7 * time.Second, 7 * time.Second},
		{503, "7", now, 7 * time.Second, 7 * time.Second},
		{500, "7", now, 0, 0},
		{429, "", now, 0, 0},
		{429, "soon", now, 0, 0},
		{429, "-3", now, 0, 0},
		{429, "99999999999999999999999", now, longestWait, longestWait},
		{429, now.Add(time.Minute).UTC().Format(http.TimeFormat), now, 59 * time.Second, 61 * time.Second},
		{429, now.Add(-time.Minute).UTC().Format(http.TimeFormat), now, 0, 0},
		// A receiver whose clock is an hour late means a minute all the same.
		{429, now.Add(time.Minute - time.Hour).UTC().Format(http.TimeFormat), now.Add(-time.Hour), 59 * time.Second, 61 * time.Second},
	} {
		s := receiver(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Date", row.date.UTC().Format(http.TimeFormat))
			w.Header().Set("Retry-After", row.after)
			w.WriteHeader(row.status)
		})
		_, err := newWebhook(t, Config{URL: s.URL, AllowHTTP: true}).Deliver(t.Context(), batchOf(eventOf(completed)))
		refused, _ := errors.AsType[*relay.Refusal](err)
		if refused.After < row.from || refused.After > row.to {
			t.Errorf("%d, %q: wait %v, want %v to %v", row.status, row.after, refused.After, row.from, row.to)
		}
	}
}

// TestARedirectIsNotFollowed: the event would go to somebody who was not configured, as a GET, with the headers.
func TestARedirectIsNotFollowed(t *testing.T) {
	other := receiver(t, func(http.ResponseWriter, *http.Request) { t.Error("the redirect is followed") })
	for _, status := range []int{301, 302, 303, 307, 308} {
		s := receiver(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL+"/login?token=t0ken-x", status)
		})
		_, err := newWebhook(t, Config{URL: s.URL, AllowHTTP: true}).Deliver(t.Context(), batchOf(eventOf(completed)))
		if kindOf(err) != relay.Away || !strings.Contains(err.Error(), other.Listener.Addr().String()) || strings.Contains(err.Error(), "t0ken-x") {
			t.Errorf("%d: %v", status, err)
		}
	}
}

// TestNoAnswer: before anything was sent, the destination is away; later nobody knows.
func TestNoAnswer(t *testing.T) {
	closed := receiver(t, nil)
	closed.Close()
	plain := receiver(t, nil)
	secure := secureReceiver(t, nil)
	silent := rawReceiver(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	cut := rawReceiver(t, func(c net.Conn) {
		if r, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
			_, _ = io.Copy(io.Discard, r.Body) // the event was taken
		}
	})
	garbage := rawReceiver(t, func(c net.Conn) { _, _ = io.WriteString(c, "SSH-2.0-OpenSSH_9.6\r\n") })
	for name, row := range map[string]struct {
		config Config
		kind   relay.Kind
		says   string
	}{
		"nobody listens": {Config{URL: closed.URL, AllowHTTP: true}, relay.Away, "no connection: dial tcp"},
		"no such host": {Config{URL: "https://hooks.example.invalid", Resolver: noNames()}, relay.Away,
			"no connection: dial tcp: lookup hooks.example.invalid"},
		"the guard": {Config{URL: plain.URL, AllowHTTP: true, Allow: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}, relay.Away,
			"127.0.0.1: 127.0.0.1 is this machine itself; if that is meant, write allow: [127.0.0.0/8]"},
		"a certificate of nobody": {Config{URL: secure.URL}, relay.Away, "certificate signed by unknown authority"},
		"no TLS":                  {Config{URL: strings.Replace(plain.URL, "http", "https", 1)}, relay.Away, "first record does not look like a TLS handshake"},
		"no handshake": {Config{URL: "https://" + silent, Timeout: 30 * time.Millisecond}, relay.Away,
			"no connection to " + silent + " within 20ms"},
		"no answer":              {Config{URL: "http://" + silent, AllowHTTP: true, Timeout: 30 * time.Millisecond}, relay.Uncertain, "no answer within 30ms"},
		"a connection cut":       {Config{URL: "http://" + cut, AllowHTTP: true}, relay.Uncertain, "the connection broke under way: EOF"},
		"an answer, but no HTTP": {Config{URL: "http://" + garbage, AllowHTTP: true}, relay.Uncertain, "the connection broke under way: "},
	} {
		_, err := newWebhook(t, row.config).Deliver(t.Context(), batchOf(eventOf(completed)))
		if kindOf(err) != row.kind || !strings.Contains(err.Error(), row.says) {
			t.Errorf("%s: kind %d, want %d: %v", name, kindOf(err), row.kind, err)
		}
	}
}

// TestATakenEventStaysTaken: what comes after the status does not matter.
func TestATakenEventStaysTaken(t *testing.T) {
	s := rawReceiver(t, func(c net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\ncut short")
		}
	})
	if done, err := newWebhook(t, Config{URL: "http://" + s, AllowHTTP: true}).Deliver(t.Context(), batchOf(eventOf(completed))); done != 1 {
		t.Error(err)
	}
}

func TestARelayThatStopsBlamesNobody(t *testing.T) {
	under, cancel := context.WithCancelCause(t.Context())
	stopping := errors.New("stopping")
	s := receiver(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // else the server does not see the client go
		cancel(stopping)
		<-r.Context().Done()
	})
	done, err := newWebhook(t, Config{URL: s.URL, AllowHTTP: true}).Deliver(under, batchOf(eventOf(completed)))
	if done != 0 || !errors.Is(err, stopping) {
		t.Error(done, err)
	}
}

// TestTheDeadlineOfTheRelay may come just before one's own.
func TestTheDeadlineOfTheRelay(t *testing.T) {
	silent := rawReceiver(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	w := newWebhook(t, Config{URL: "http://" + silent, AllowHTTP: true})
	soon, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := w.Deliver(soon, batchOf(eventOf(completed))); err == nil || err.Error() != "no answer within 15s" {
		t.Error(err)
	}
}

// rawReceiver serves each connection, then closes it.
func rawReceiver(t *testing.T, serve func(net.Conn)) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); serve(c) }()
		}
	}()
	return l.Addr().String()
}

func noNames() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx, string, string) (conn, error) { return nil, errors.New("no name server here") }}
}
