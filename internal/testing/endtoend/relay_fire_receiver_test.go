package endtoend

import (
	"encoding/json"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// fireReceiver takes events, and fails in between in every way.
type fireReceiver struct {
	port     string
	verifier *standardwebhooks.Webhook

	mu       sync.Mutex // guards the rest
	taken    []taken    // as they arrived
	again    int        // that were taken without the relay knowing
	unsigned int        // requests whose signature was wrong
	astray   int        // requests to another address
	lockout  time.Time  // until then everybody gets 401
	gone     bool       // everybody gets 410
}

type taken struct{ id, job, sequence string }

func newFireReceiver(t *testing.T, secret string) *fireReceiver {
	r := &fireReceiver{}
	var err error
	if r.verifier, err = standardwebhooks.NewWebhook(secret); err != nil {
		t.Fatal(err)
	}
	listen := func(address string, handle http.HandlerFunc) string {
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp4", address)
		if err != nil {
			t.Fatal(err)
		}
		s := httptest.NewUnstartedServer(handle)
		s.Listener.Close()
		s.Listener = l
		s.Start()
		t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
		return l.Addr().String()
	}
	_, r.port, _ = net.SplitHostPort(listen(fireAddress+":0", r.handle))
	listen("127.0.0.1:"+r.port, func(http.ResponseWriter, *http.Request) { r.set(func() { r.astray++ }) })
	return r
}

func (r *fireReceiver) set(do func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	do()
}

func (r *fireReceiver) handle(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return // the relay was killed: nothing whole was sent
	}
	var event struct{ ID, PartitionKey, Sequence string }
	if r.verifier.Verify(body, req.Header) != nil || json.Unmarshal(body, &event) != nil || event.ID != req.Header.Get("Webhook-Id") {
		r.set(func() { r.unsigned++ })
	}
	if code := r.refusesAll(); code != 0 {
		w.WriteHeader(code)
		return
	}
	take := func(unknown bool) {
		r.set(func() {
			r.taken = append(r.taken, taken{event.ID, event.PartitionKey, event.Sequence})
			if unknown {
				r.again++
			}
		})
	}
	switch rand.IntN(80) {
	case 0:
		w.WriteHeader(http.StatusInternalServerError)
	case 1:
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
	case 2:
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
	case 3:
		http.Redirect(w, req, "http://127.0.0.1:"+r.port+"/elsewhere", http.StatusTemporaryRedirect)
	case 4:
		w.WriteHeader(http.StatusNotFound)
	case 5:
		take(true)
		panic(http.ErrAbortHandler) // the connection is cut
	case 6:
		take(true)
		<-req.Context().Done() // no answer comes
	case 7:
		<-req.Context().Done()
	case 8:
		w.Header().Set("Connection", "close") // or its name would never be looked up again
		take(false)
	default:
		take(false)
	}
}

func (r *fireReceiver) refusesAll() (code int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.gone:
		return http.StatusGone
	case time.Now().Before(r.lockout):
		return http.StatusUnauthorized
	}
	return 0
}

func (r *fireReceiver) count() (n int) {
	r.set(func() { n = len(r.taken) })
	return n
}

func (r *fireReceiver) distinct() int {
	ids := map[string]bool{}
	r.set(func() {
		for _, e := range r.taken {
			ids[e.id] = true
		}
	})
	return len(ids)
}

// judge holds what arrived against the stream: each event, in its job's order, with as few repeats as there were reasons
// for.
func (r *fireReceiver) judge(t *testing.T, events []received, underWay int) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	seen, last, repeats := map[string]bool{}, map[string]string{}, 0
	for _, e := range r.taken {
		if seen[e.id] {
			repeats++
			continue
		}
		seen[e.id] = true
		if e.sequence <= last[e.job] {
			t.Errorf("%s: %s arrives after %s", e.job, e.sequence, last[e.job])
		}
		last[e.job] = e.sequence
	}
	for _, e := range events {
		if !seen[e.id] {
			t.Errorf("%s never arrived", e.id)
		}
		delete(seen, e.id)
	}
	if len(seen) > 0 {
		t.Errorf("made up: %v", seen)
	}
	t.Logf("webhook: %d events, %d arrivals, %d repeats, of which %d for want of an answer", len(events), len(r.taken), repeats, r.again)
	if repeats > r.again+underWay {
		t.Errorf("%d repeats; %d had no answer, and at most %d were under way at kills", repeats, r.again, underWay)
	}
	if r.unsigned > 0 || r.astray > 0 {
		t.Errorf("%d requests that nobody signed, %d to another address", r.unsigned, r.astray)
	}
}
