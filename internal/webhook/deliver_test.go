package webhook

import (
	"io"
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"jobwatch/internal/relay"
)

func TestDeliver(t *testing.T) {
	var got *http.Request
	var body string
	s := secureReceiver(t, func(_ http.ResponseWriter, r *http.Request) {
		data, _ := io.ReadAll(r.Body)
		got, body = r, string(data)
	})
	w := newWebhook(t, Config{
		URL: s.URL + "/hooks/backup?of=prod", TLS: trusting(s),
		SecretFiles: []string{file(t, "new", secretOf("n")), file(t, "old", secretOf("o"))},
		Headers:     map[string]string{"authorization": file(t, "token", "Bearer s3cret")},
	})
	before := time.Now().Unix()
	if done, err := w.Deliver(t.Context(), batchOf(eventOf(completed))); done != 1 || err != nil {
		t.Fatal(done, err)
	}
	if body != completed {
		t.Errorf("the body is %s", body)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/cloudevents+json", "User-Agent": "jobwatch/1.2.3", "Webhook-Id": "q7m2xk3vb9t4hs6c-000000000003",
		"Authorization": "Bearer s3cret", "Jobwatch-Replayed": "", "Content-Length": strconv.Itoa(len(completed)), "Accept-Encoding": "",
	} {
		if got.Header.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, got.Header.Get(name), want)
		}
	}
	if got.Method != "POST" || got.RequestURI != "/hooks/backup?of=prod" || got.Host != s.Listener.Addr().String() {
		t.Errorf("%s %s at %s", got.Method, got.RequestURI, got.Host)
	}
	if at, _ := strconv.ParseInt(got.Header.Get("Webhook-Timestamp"), 10, 64); at < before || at > time.Now().Unix() {
		t.Errorf("the timestamp is %d", at)
	}
	for _, letter := range []string{"n", "o"} {
		verifier, err := standardwebhooks.NewWebhook(secretOf(letter))
		if err != nil {
			t.Fatal(err)
		}
		if err := verifier.Verify([]byte(body), got.Header); err != nil {
			t.Errorf("who knows only secret %s: %v", letter, err)
		}
	}
}

func TestDeliverSaysHowFarItGot(t *testing.T) {
	var ids []string
	s := receiver(t, func(w http.ResponseWriter, r *http.Request) {
		if ids = append(ids, r.Header.Get("Webhook-Id")+r.Header.Get("Jobwatch-Replayed")); len(ids) == 3 {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	w := newWebhook(t, Config{URL: s.URL, AllowHTTP: true})
	var events []*relay.Event
	for _, id := range []string{"a", "b", "c", "d"} {
		events = append(events, &relay.Event{ID: id, Data: []byte(completed), Replayed: id == "b"})
	}
	done, err := w.Deliver(t.Context(), batchOf(events...))
	if done != 2 || kindOf(err) != relay.Uncertain || len(ids) != 3 || ids[1] != "btrue" {
		t.Errorf("%d delivered, %v, %q asked", done, err, ids)
	}
}

func TestConnectionsAreKept(t *testing.T) {
	var connections atomic.Int32
	s := receiver(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "taken\n") })
	w := newWebhook(t, Config{URL: s.URL, AllowHTTP: true})
	dial := w.transport.DialContext
	w.transport.DialContext = func(ctx ctx, network, address string) (conn, error) {
		connections.Add(1)
		return dial(ctx, network, address)
	}
	for range 10 {
		if answer, err := w.Try(t.Context(), batchOf(eventOf(completed))); err != nil || answer != "200 OK: taken" {
			t.Fatal(answer, err)
		}
	}
	if connections.Load() != 1 {
		t.Errorf("%d connections for 10 events", connections.Load())
	}
}

// TestAnEventThatNoHeaderCanCarry is one that somebody else has put into the stream.
func TestAnEventThatNoHeaderCanCarry(t *testing.T) {
	s := receiver(t, func(http.ResponseWriter, *http.Request) { t.Error("it is sent") })
	w := newWebhook(t, Config{URL: s.URL, AllowHTTP: true})
	for _, id := range []string{"", "a\r\nX-Admin: yes", "a b", "ä"} {
		_, err := w.Deliver(t.Context(), batchOf(&relay.Event{ID: id, Data: []byte(completed)}))
		if kindOf(err) != relay.Unfit {
			t.Errorf("%q: %v", id, err)
		}
	}
}
