package slack

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"jobwatch/internal/relay"
)

// TestAnAnswerWithoutEndIsNotRead: what answers need not be Slack, and may send as long as somebody reads.
func TestAnAnswerWithoutEndIsNotRead(t *testing.T) {
	begin, pad := []byte(`{"ok":true,"error":"`), bytes.Repeat([]byte("a"), 1<<20)
	for name, row := range map[string]struct {
		encoding string
		begin, n []byte
	}{
		"plain":  {"", begin, pad},
		"packed": {"gzip", packed(begin), packed(pad)},
	} {
		t.Run(name, func(t *testing.T) {
			var sent atomic.Int64
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				w.Header().Set("Content-Type", "application/json")
				if row.encoding != "" {
					w.Header().Set("Content-Encoding", row.encoding)
				}
				_, _ = w.Write(row.begin)
				for range 1000 {
					n, err := w.Write(row.n)
					if sent.Add(int64(n)); err != nil {
						return
					}
				}
			}))
			defer server.Close()
			w := newWorld(t, func(c *Config) { c.APIURL, c.Timeout = server.URL, time.Minute })
			refusal := w.refuses(relay.Uncertain, life()[0])
			if !strings.Contains(refusal.Reason, "over 16 MiB") {
				t.Errorf("refused for another reason: %s", refusal.Reason)
			}
			if most := int64(64 << 20); sent.Load() > most {
				t.Errorf("%d MiB were taken", sent.Load()>>20)
			}
		})
	}
}

func packed(text []byte) []byte {
	var buffer bytes.Buffer
	z := gzip.NewWriter(&buffer)
	_, _ = z.Write(text)
	_ = z.Close()
	return buffer.Bytes()
}
