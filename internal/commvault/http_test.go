package commvault

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// outcome is what the poller makes of an error.
func outcome(err error) string {
	words := []string{string(KindOf(err))}
	if Retryable(err) {
		words = append(words, "retryable")
	}
	if SourceDown(err) {
		words = append(words, "down")
	}
	return strings.Join(words, " ")
}

func TestRefusals(t *testing.T) {
	for name, row := range map[string]struct {
		serve http.HandlerFunc
		kind  string
		want  string
	}{
		"500 flat": {say(500, "", `{"errorMessage":"Error 0x10c:\n no full backup","errorCode":2}`),
			"http retryable down", "HTTP 500: Error 0x10c: no full backup"},
		"500 nested": {say(500, "", `{"error":{"errorMessage":"See the logs","errorCode":500}}`),
			"http retryable down", "HTTP 500: See the logs"},
		"500 with a job": {say(500, "", answer("", "", "")), "http retryable down", "HTTP 500: Internal Server Error"},
		"502 page":       {say(502, "", `<html><title>502 Bad Gateway</title>`), "http retryable down", "HTTP 502: 502 Bad Gateway"},
		"503":            {say(503, "30", ``), "throttled retryable down", "HTTP 503: Service Unavailable (retry after 30s)"},
		"429 for ever":   {say(429, "99999999999", `slow down`), "throttled retryable down", "HTTP 429: slow down (retry after 24h0m0s)"},
		"429 before now": {say(429, "-5", ``), "throttled retryable down", "HTTP 429: Too Many Requests"},
		"404 for a job":  {say(404, "", `{"error":{"errorMessage":"There is none","errorCode":404}}`), "http", "HTTP 404: There is none"},
		"404 page":       {say(404, "", `<title>Not here</title>`), "http down", "HTTP 404: Not here"},
		"403":            {say(403, "", `{"errorMessage":"Access denied","errorCode":5}`), "http", "HTTP 403: Access denied"},
		"408":            {say(408, "", ``), "http retryable", "HTTP 408: Request Timeout"},
		"201":            {say(201, "", answer("", "", "")), "http", "HTTP 201: Created"},
		"204":            {say(204, "", ``), "http", "HTTP 204: No Content"},
		"401": {say(401, "", ``), "auth down",
			"HTTP 401: the token is refused or has expired; put a new one in auth.token or auth.token_file"},
		"page with 200": {say(200, "", `<html><title>Log in</title>`), "not_an_answer retryable down",
			"a web page where an answer was expected (is url: the web service's root?): Log in"},
		"JSON called HTML": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "Text/HTML; charset=utf-8")
			fmt.Fprint(w, answer("", "", ""))
		}, "not_an_answer retryable down", "a web page where an answer was expected (is url: the web service's root?)"},
		"an error called HTML": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, `{"Message":"Down"}`)
		}, "not_an_answer retryable down", "a web page where an answer was expected (is url: the web service's root?): Down"},
		"another job": {say(200, "", strings.Replace(answer("", "", ""), "71", "17", 1)), "not_an_answer retryable", "the answer is of job 17"},
		"error document": {say(200, "", `{"errorMessage":"Access denied","errorCode":5}`),
			"not_an_answer retryable", "an error instead of a job: Access denied"},
		"unknown":    {say(200, "", `{}`), "unknown_job", "the CommServe does not know the job"},
		"redirected": {redirect("/commandcenter/api/JobDetails?t=1"), "redirect down", "HTTP 307: redirected to URL/commandcenter/api/JobDetails; set url: to URL/commandcenter/api"},
		"to a login": {redirect("/login.do?q"), "redirect down", "HTTP 307: redirected to URL/login.do; set url: to the web service's root there"},
		"to nowhere": {say(302, "", ""), "redirect down", "HTTP 302: a redirect that leads nowhere"},
		"cut by length": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "5000")
			fmt.Fprint(w, answer("", "", ""))
		}, "not_an_answer retryable", "the answer is cut short after 105 bytes"},
		"cut in a chunk": {func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, answer("", "", "")[:50])
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}, "not_an_answer retryable", "the answer is cut short after 50 bytes"},
		"closed at once": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
			"unreachable retryable down", "the connection was closed without an answer"},
		"damaged gzip": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			fmt.Fprint(w, "this is no gzip stream at all")
		}, "not_an_answer retryable", "the answer is compressed, and damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(row.serve)
			defer server.Close()
			_, err := newClient(t, Config{URL: server.URL}).JobDetails(t.Context(), 71)
			if err == nil {
				t.Fatal("an observation")
			}
			if got := outcome(err); got != row.kind {
				t.Errorf("kind %q, want %q", got, row.kind)
			}
			want := "JobDetails of job 71: " + strings.ReplaceAll(row.want, "URL", server.URL)
			if err.Error() != want {
				t.Errorf("got  %s\nwant %s", err, want)
			}
		})
	}
}

func say(code int, retryAfter, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if retryAfter != "" {
			w.Header().Set("Retry-After", retryAfter)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

func redirect(to string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusTemporaryRedirect) }
}

func TestARedirectIsNotFollowed(t *testing.T) {
	followed := false
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed = true }))
	defer elsewhere.Close()
	server := httptest.NewServer(redirect(elsewhere.URL + "/JobDetails?token=x"))
	defer server.Close()
	_, err := newClient(t, Config{URL: server.URL}).JobDetails(t.Context(), 71)
	e, _ := errors.AsType[*Error](err)
	if followed || e == nil || e.Location != elsewhere.URL+"/JobDetails" || e.Code != 307 {
		t.Errorf("followed: %v, error %v", followed, err)
	}
}

func TestAnAnswerOver16MiBIsNotRead(t *testing.T) {
	white := bytes.Repeat([]byte(" "), 1<<20)
	var packed bytes.Buffer // once, and beforehand: a busy machine takes half a minute to pack all of it
	z := gzip.NewWriter(&packed)
	_, _ = z.Write(white)
	_ = z.Close()
	for name, serve := range map[string]http.HandlerFunc{
		"told by its length": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(maxBody+1))
		},
		"in chunks": func(w http.ResponseWriter, _ *http.Request) {
			for range 17 {
				_, _ = w.Write(white)
			}
		},
		"once decompressed": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(bytes.Repeat(packed.Bytes(), 300)) // a gzip file of many members is one
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(serve)
			defer server.Close()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := newClient(t, Config{URL: server.URL}).JobDetails(t.Context(), 71)
			runtime.ReadMemStats(&after)
			if got := outcome(err); got != "too_large" {
				t.Errorf("%s: %v", got, err)
			}
			if took := (after.TotalAlloc - before.TotalAlloc) >> 20; took > 128 {
				t.Errorf("%d MiB were allocated", took)
			}
		})
	}
}

func TestAGzippedAnswerIsRead(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		defer z.Close()
		_, _ = io.WriteString(z, answer("", "", ""))
	}))
	defer server.Close()
	if seen, err := newClient(t, Config{URL: server.URL}).JobDetails(t.Context(), 71); err != nil || seen.Snapshot.State != "Running" {
		t.Errorf("%v, %v", seen.Snapshot.State, err)
	}
}

func TestAnUnknownAuthorityNamesTheFix(t *testing.T) {
	server := httptest.NewUnstartedServer(say(200, "", answer("", "", "")))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	_, err := newClient(t, Config{URL: server.URL}).JobDetails(t.Context(), 71)
	if got := outcome(err); got != "unreachable down" || !strings.Contains(err.Error(), "tls.ca_file") {
		t.Errorf("%s: %v", got, err)
	}
}

func TestNobodyListens(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	_, err = newClient(t, Config{URL: "http://" + listener.Addr().String()}).JobDetails(t.Context(), 71)
	if got := outcome(err); got != "unreachable retryable down" || strings.Contains(err.Error(), "http://") {
		t.Errorf("%s: %v", got, err)
	}
}

func TestASilentServerTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen requests
		c := newClient(t, Config{Observe: seen.observe, Transport: commserve(hang)})
		_, err := c.JobDetails(t.Context(), 71)
		if got := outcome(err); got != "timeout retryable down" || err.Error() != "JobDetails of job 71: no complete answer within 30s" {
			t.Errorf("%s: %v", got, err)
		}
		if want := []string{"JobDetails  timeout"}; !slices.Equal(seen.all, want) {
			t.Errorf("requests %q, want %q", seen.all, want)
		}
	})
}

func TestWhoeverAskedMayGiveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		_, err := newClient(t, Config{Transport: commserve(hang)}).JobDetails(ctx, 71)
		if got := outcome(err); got != "canceled" || !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", got, err)
		}
	})
}

func hang(r *http.Request) (int, string) {
	<-r.Context().Done()
	return 0, ""
}

func TestConnectionsAreKept(t *testing.T) {
	var connections atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(sent(r), "404") {
			w.WriteHeader(404)
		}
		fmt.Fprint(w, answer("", "", ""))
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	c := newClient(t, Config{URL: server.URL})
	for range 10 {
		_, _ = c.JobDetails(t.Context(), 71)
		_, _ = c.JobDetails(t.Context(), 404)
	}
	if n := connections.Load(); n != 1 {
		t.Errorf("%d connections for 20 requests, want 1", n)
	}
}
