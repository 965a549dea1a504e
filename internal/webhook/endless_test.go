package webhook

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestAReceiverThatTalksWithoutEnd: of its answer only the beginning is read, and that of a packed one not unpacked; of its
// headers no more than a few.
func TestAReceiverThatTalksWithoutEnd(t *testing.T) {
	var sent atomic.Int64
	pad := strings.Repeat("a", 1<<20)
	for name, talk := range map[string]func(w http.ResponseWriter){
		"a body":        func(http.ResponseWriter) {},
		"a packed body": func(w http.ResponseWriter) { w.Header().Set("Content-Encoding", "gzip") },
		"a header":      func(w http.ResponseWriter) { w.Header().Set("X-Long", pad) },
	} {
		for _, status := range []int{200, 500} {
			sent.Store(0)
			s := receiver(t, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				talk(w)
				w.WriteHeader(status)
				for range 500 {
					n, err := io.WriteString(w, pad)
					if sent.Add(int64(n)); err != nil {
						return
					}
				}
			})
			done, err := newWebhook(t, Config{URL: s.URL, AllowHTTP: true, Timeout: time.Minute}).Deliver(t.Context(), batchOf(eventOf(completed)))
			if wants := status == 200 && name != "a header"; wants != (done == 1) {
				t.Errorf("%s, %d: %d delivered, %v", name, status, done, err)
			}
			if err != nil && len(err.Error()) > 1000 {
				t.Errorf("%s, %d: an error of %d bytes", name, status, len(err.Error()))
			}
			if sent.Load() > 32<<20 {
				t.Errorf("%s, %d: %d MiB were taken", name, status, sent.Load()>>20)
			}
		}
	}
}
