package webhook

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// BenchmarkDeliver is one event by the webhook, signed, beside a bare client that posts the same body: ns/op holds the
// receiver's part, too, since it is in the same process.
func BenchmarkDeliver(b *testing.B) {
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	defer receiver.Close()
	s := receiver.URL
	b.Run("bare", func(b *testing.B) {
		client := &http.Client{}
		for b.Loop() {
			resp, err := client.Post(s, "application/cloudevents+json", bytes.NewReader([]byte(completed)))
			if err != nil {
				b.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
	})
	for name, body := range map[string]any{"event": nil, "body": map[string]any{"text": "{data.job.client}: {data.change.to}"}} {
		b.Run(name, func(b *testing.B) {
			c := prepared(Config{URL: s, AllowHTTP: true, SecretFiles: []string{"secret"}, Body: body})
			c.ReadSecret = func(string, string) (string, error) { return secretOf("a"), nil }
			w, err := New(c)
			if err != nil {
				b.Fatal(err)
			}
			batch := batchOf(eventOf(completed))
			for b.Loop() {
				if _, err := w.Deliver(b.Context(), batch); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
