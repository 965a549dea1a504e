package webhook

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"jobwatch/internal/relay"
)

// TestRotation changes what a file holds under way: the next event that is refused goes out once more with what it holds now.
func TestRotation(t *testing.T) {
	for _, status := range []int{400, 401, 403} { // 400: what the examples of Standard Webhooks answer
		secret, token := file(t, "secret", secretOf("a")), file(t, "token", "Bearer first-token")
		wanted := "a"
		s := receiver(t, func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			verifier, _ := standardwebhooks.NewWebhook(secretOf(wanted))
			if verifier.Verify(body, r.Header) != nil || r.Header.Get("Authorization") != "Bearer "+map[string]string{"a": "first-token", "b": "second-token"}[wanted] {
				w.WriteHeader(status)
			}
		})
		w := newWebhook(t, Config{URL: s.URL, AllowHTTP: true, SecretFiles: []string{secret}, Headers: map[string]string{"Authorization": token}})
		delivers := func(want bool) {
			t.Helper()
			if done, err := w.Deliver(t.Context(), batchOf(eventOf(completed))); (done == 1) != want {
				t.Errorf("%d: %d delivered, %v", status, done, err)
			}
		}
		delivers(true)
		wanted = "b"
		delivers(false)
		file(t, secret, secretOf("b"))
		delivers(false)
		file(t, token, "Bearer second-token")
		delivers(true)
	}
}

func TestRotationOfTheURL(t *testing.T) {
	for _, status := range []int{404, 410, 302} {
		gone := receiver(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		s := receiver(t, func(http.ResponseWriter, *http.Request) {})
		url := file(t, "url", gone.URL)
		w := newWebhook(t, Config{URLFile: url, AllowHTTP: true})
		if _, err := w.Deliver(t.Context(), batchOf(eventOf(completed))); kindOf(err) == -1 {
			t.Fatal(err)
		}
		file(t, url, s.URL)
		if done, err := w.Deliver(t.Context(), batchOf(eventOf(completed))); done != 1 {
			t.Errorf("%d: %v", status, err)
		}
	}
}

// TestAFileThatIsBeingWritten: what was read before stands, and the refusal says what is wrong with the file.
func TestAFileThatIsBeingWritten(t *testing.T) {
	secret := file(t, "secret", secretOf("a"))
	refuse := true
	s := receiver(t, func(w http.ResponseWriter, _ *http.Request) {
		if refuse {
			w.WriteHeader(401)
		}
	})
	w := newWebhook(t, Config{URL: s.URL, AllowHTTP: true, SecretFiles: []string{secret}})
	file(t, secret, "whsec_aGFsZi1h")
	_, err := w.Deliver(t.Context(), batchOf(eventOf(completed)))
	if kindOf(err) != relay.Away || !strings.Contains(err.Error(), secret+": is not \"whsec_\"") || strings.Contains(err.Error(), "aGFsZi1h") {
		t.Errorf("got %v", err)
	}
	refuse = false
	if done, err := w.Deliver(t.Context(), batchOf(eventOf(completed))); done != 1 {
		t.Error(err)
	}
}

// TestManyRefusedAtOnce: one reads the files, and all go out again with what it read.
func TestManyRefusedAtOnce(t *testing.T) {
	token := file(t, "token", "first-token")
	var asked atomic.Int32
	s := receiver(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.Header.Get("X-Token") != "second-token" {
			w.WriteHeader(401)
		}
	})
	w := newWebhook(t, Config{URL: s.URL, AllowHTTP: true, Headers: map[string]string{"X-Token": token}})
	file(t, token, "second-token")
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if done, err := w.Deliver(t.Context(), batchOf(eventOf(completed))); done != 1 {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := asked.Load(); n > 100 {
		t.Errorf("%d requests for 50 events", n)
	}
}

// TestNoSecretIsTold has everything refused that can be, by a receiver that answers with all that it was sent.
func TestNoSecretIsTold(t *testing.T) {
	echo := func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(401)
		fmt.Fprintf(w, "no: %s %s %s for user:passw0rd-x of dXNlcjpwYXNzdzByZC14 %v %s", r.URL, path.Base(r.URL.Path), r.URL.Query().Get("key"), r.Header, secretOf("a"))
	}
	s := receiver(t, echo)
	closed := receiver(t, nil)
	closed.Close()
	secret, token := file(t, "secret", secretOf("a")), file(t, "token", "Bearer t0ken-value")
	basic := file(t, "basic", "Basic dXNlcjpwYXNzdzByZC14") // user:passw0rd-x
	for _, url := range []string{s.URL, closed.URL, strings.Replace(s.URL, "http", "https", 1)} {
		address := strings.Replace(url, "://", "://someone:passw0rd-u@", 1) + "/services/T0AAAA/B0BBBB/path-t0ken?key=query-t0ken%2B"
		w := newWebhook(t, Config{
			URLFile: file(t, "url", address), AllowHTTP: true, SecretFiles: []string{secret},
			Headers: map[string]string{"X-Token": token, "X-Basic": basic},
		})
		b := batchOf(eventOf(completed))
		_, err := w.Deliver(t.Context(), b)
		answer, tried := w.Try(t.Context(), b)
		preview, _ := w.Preview(b)
		checked := w.Check(t.Context())
		told := fmt.Sprint(err, answer, tried, preview, checked)
		for _, hidden := range []string{
			"path-t0ken", "T0AAAA", "query-t0ken", "passw0rd", "dXNlcjpwYXNzdzByZC14", "t0ken-value", secretOf("a"), strings.TrimPrefix(secretOf("a"), "whsec_"), "c29tZW9uZTp",
		} {
			if strings.Contains(told, hidden) {
				t.Errorf("%s is told: %s", hidden, told)
			}
		}
		if kindOf(err) != relay.Away {
			t.Error(err)
		}
	}
}

// TestAnAnswerIsOneLine: the receiver's words get into logs, status and headers of dead letters.
func TestAnAnswerIsOneLine(t *testing.T) {
	s := receiver(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(422)
		_, _ = io.WriteString(w, "no\r\nJobwatch-Tries: 0\x1b[2J\u202etxt\xff"+strings.Repeat("é", 10_000))
	})
	_, err := newWebhook(t, Config{URL: s.URL, AllowHTTP: true}).Deliver(t.Context(), batchOf(eventOf(completed)))
	want := `HTTP 422 Unprocessable Entity: no  Jobwatch-Tries: 0\u001b[2J\u202etxt` + "\uFFFD"
	if got := err.Error(); !strings.HasPrefix(got, want) || len(got) > 300 || !strings.HasSuffix(got, "é…") {
		t.Errorf("got %q", got)
	}
}

func TestUserOfTheURL(t *testing.T) {
	var user, password string
	s := receiver(t, func(_ http.ResponseWriter, r *http.Request) { user, password, _ = r.BasicAuth() })
	url := file(t, "url", strings.Replace(s.URL, "://", "://ops:pa%2Fss@", 1))
	if done, err := newWebhook(t, Config{URLFile: url, AllowHTTP: true}).Deliver(t.Context(), batchOf(eventOf(completed))); done != 1 || user != "ops" || password != "pa/ss" {
		t.Error(user, password, err)
	}
}

func TestWrongFiles(t *testing.T) {
	absent := t.TempDir() + "/absent"
	text := func(s string) string { return file(t, "file", s) }
	secretWrong := `webhook.secret_files[0]: FILE: is not "whsec_" and base64 of 24 to 64 bytes; make one with: echo whsec_$(openssl rand -base64 32)`
	for _, row := range []struct {
		config     Config
		file, want string
	}{
		{Config{URL: "https://h", SecretFiles: []string{absent}}, absent, "webhook.secret_files[0]: FILE: no such file or directory; write the secret into it, or mend the path"},
		{Config{URLFile: absent}, absent, "webhook.url_file: FILE: no such file or directory; write the secret into it, or mend the path"},
		{Config{URL: "https://h", Headers: map[string]string{"X-Key": absent}}, absent, "webhook.headers.X-Key.value_file: FILE: no such file or directory; write the secret into it, or mend the path"},
	} {
		wrongFile(t, row.config, row.file, row.want)
	}
	for _, secret := range []string{
		"whsec_", "whsec_MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM=", secretPrefix + strings.Repeat("QUFB", 22), "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB",
		"whsec_QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB!", "whsec_-_-_QUFBQUFBQUFBQUFBQUFBQUFBQUFB", "WHSEC_QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB",
	} {
		f := text(secret)
		wrongFile(t, Config{URL: "https://h", SecretFiles: []string{f}}, f, secretWrong)
	}
	for secret, want := range map[string]string{
		"http://h/s3cret-path":          "webhook.url_file: FILE: http sends events unencrypted, for all on the way to read; use https, or write allow_http: true",
		"hooks.example.com/s3cret-path": "webhook.url_file: FILE: no URL of https; write https://host/path",
		"https://h:s3cret-path/":        "webhook.url_file: FILE: no URL that could be read; write https://host/path",
	} {
		f := text(secret)
		wrongFile(t, Config{URLFile: f}, f, want)
	}
	for _, bytes := range []int{24, 64} {
		secret := secretPrefix + map[int]string{24: strings.Repeat("QUFB", 8), 64: strings.Repeat("QUFB", 21) + "QQ=="}[bytes]
		if _, err := New(prepared(Config{URL: "https://h", SecretFiles: []string{text(secret)}})); err != nil {
			t.Errorf("%d bytes: %v", bytes, err)
		}
	}
}

func wrongFile(t *testing.T, c Config, file, want string) {
	t.Helper()
	if err := c.Validate(); err != nil {
		t.Errorf("the file alone is at fault, but: %v", err)
	}
	_, err := New(prepared(c))
	if err == nil {
		t.Errorf("taken; want %q", want)
		return
	}
	if got := strings.ReplaceAll(err.Error(), file, "FILE"); got != want {
		t.Errorf("\n got %q\nwant %q", got, want)
	}
}

// TestCheck connects, and sends nothing.
func TestCheck(t *testing.T) {
	s := secureReceiver(t, func(http.ResponseWriter, *http.Request) { t.Error("a request is sent") })
	plain := receiver(t, func(http.ResponseWriter, *http.Request) { t.Error("a request is sent") })
	secret := file(t, "secret", secretOf("a"))
	w := newWebhook(t, Config{URL: s.URL, TLS: trusting(s), SecretFiles: []string{secret}})
	if err := w.Check(t.Context()); err != nil {
		t.Error(err)
	}
	if err := newWebhook(t, Config{URL: plain.URL, AllowHTTP: true}).Check(t.Context()); err != nil {
		t.Error(err)
	}
	if err := newWebhook(t, Config{URL: s.URL}).Check(t.Context()); err == nil || !strings.Contains(err.Error(), "unknown authority") {
		t.Error(err)
	}
	if err := os.Remove(secret); err != nil {
		t.Fatal(err)
	}
	if err := w.Check(t.Context()); err == nil || !strings.Contains(err.Error(), secret) {
		t.Error(err)
	}
}

func TestPreview(t *testing.T) {
	w := newWebhook(t, Config{
		URLFile: file(t, "url", "https://hooks.example.com/s3cret"), SecretFiles: []string{file(t, "a", secretOf("a")), file(t, "b", secretOf("b"))},
		Headers: map[string]string{"authorization": file(t, "token", "Bearer s3cret")}, Body: map[string]any{"text": "{data.job.client}: {data.change.to}"},
	})
	e := eventOf(completed)
	e.Replayed = true
	got, err := w.Preview(batchOf(e))
	want := `POST https://hooks.example.com/…
User-Agent: jobwatch/1.2.3
Content-Type: application/json
webhook-id: q7m2xk3vb9t4hs6c-000000000003
webhook-timestamp: (of the attempt)
webhook-signature: v1,… v1,…
Jobwatch-Replayed: true
Authorization: …

{"text":"skma_2: Completed"}`
	if got != want || err != nil {
		t.Errorf("%v\n%s", err, got)
	}
}

func TestValidate(t *testing.T) {
	for _, row := range []struct {
		config Config
		want   string
	}{
		{Config{}, "webhook: where to? Write url: https://…, or url_file"},
		{Config{URL: "https://h", URLFile: "f"}, "webhook: url and url_file are both set; keep one"},
		{Config{URL: "http://h"}, "webhook.url: http sends events unencrypted, for all on the way to read; use https, or write allow_http: true"},
		{Config{URL: "https://"}, "webhook.url: names no host; write https://host/path"},
		{Config{URL: "https:///path"}, "webhook.url: names no host; write https://host/path"},
		{Config{URL: "https://:443/path"}, "webhook.url: names no host; write https://host/path"},
		{Config{URL: "ftp://h"}, "webhook.url: no URL of https; write https://host/path"},
		{Config{URL: "h/path"}, "webhook.url: no URL of https; write https://host/path"},
		{Config{URL: "https://u:secret@h"}, "webhook.url: holds a user's name; write the whole into a file and name that as url_file, or use headers: {Authorization: {value_file: …}}"},
		{Config{URL: "https://h", Headers: map[string]string{"X Key": "f"}}, `webhook.headers: "X Key" is no name of a header; use letters, digits and -`},
		{Config{URL: "https://h", Headers: map[string]string{"": "f"}}, `webhook.headers: "" is no name of a header; use letters, digits and -`},
		{Config{URL: "https://h", Headers: map[string]string{"webhook-id": "f"}}, "webhook.headers: webhook-id is set by jobwatch itself; take it out"},
		{Config{URL: "https://h", Headers: map[string]string{"content-type": "f"}}, "webhook.headers: content-type is set by jobwatch itself; take it out"},
		{Config{URL: "https://h", Headers: map[string]string{"X-Key": "f", "x-key": "g"}}, "webhook.headers: X-Key and x-key are the same header; keep one"},
	} {
		if err := row.config.Validate(); err == nil || err.Error() != row.want {
			t.Errorf("%+v:\n got %v\nwant %s", row.config, err, row.want)
		}
	}
}
