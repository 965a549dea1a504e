package relay

import (
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"jobwatch/internal/testing/slow"
)

// fire is a receiver that answers as bad ones do.
type fire struct {
	inbox
	out     atomic.Bool // it burns no more
	refused atomic.Int64
}

func (f *fire) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if f.out.Load() {
		f.inbox.ServeHTTP(w, r)
		return
	}
	what := rand.IntN(40)
	if what < 7 {
		f.refused.Add(1)
	}
	switch what {
	case 0:
		w.WriteHeader(http.StatusInternalServerError)
	case 1:
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
	case 2: // the body was taken, and nothing says so
		f.inbox.ServeHTTP(w, r)
		panic(http.ErrAbortHandler)
	case 3:
		panic(http.ErrAbortHandler)
	case 4: // taken, and the answer comes too late
		f.inbox.ServeHTTP(w, r)
		<-r.Context().Done()
	case 5:
		w.WriteHeader(http.StatusUnauthorized)
	case 6:
		http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
	default:
		f.inbox.ServeHTTP(w, r)
	}
}

// judging is a poster that reads the answers as a webhook does.
type judging struct {
	url    string
	client *http.Client
}

func judge(url string) judging {
	return judging{url, &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: 16},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (j judging) Deliver(ctx context.Context, b Batch) (done int, err error) {
	for _, e := range b.Events {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, j.url, http.NoBody)
		if err != nil {
			return done, err
		}
		request.Header.Set("Webhook-Id", e.ID)
		response, err := j.client.Do(request)
		if err != nil {
			return done, &Refusal{Reason: "no answer"}
		}
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		seconds, _ := strconv.Atoi(response.Header.Get("Retry-After"))
		refusal := &Refusal{Reason: response.Status, Status: response.StatusCode, After: time.Duration(seconds) * time.Second}
		switch {
		case response.StatusCode == http.StatusOK:
			done++
			continue
		case response.StatusCode < 500:
			refusal.Kind = Away
		}
		return done, refusal
	}
	return done, nil
}

// TestUnderFire: whatever a receiver answers that time alone mends, all arrives, in order, and nothing is given up.
// JOBWATCH_RELAY_STOPS=200 is the long form.
func TestUnderFire(t *testing.T) {
	slow.Test(t, "60 s", "real pauses between tries, and a consumer that waits for what a stopped relay held")
	kills, stops := 1, 4
	if long, err := strconv.Atoi(os.Getenv("JOBWATCH_RELAY_STOPS")); err == nil {
		kills, stops = long/10, long-long/10
	}
	w := newWorld(t)
	for range 20 {
		for job := range 50 {
			w.tell(job + 1)
		}
	}
	to := &fire{}
	server := httptest.NewServer(to)
	t.Cleanup(server.Close)
	destination := judge(server.URL)
	var n tally
	for at := 20; at <= 20*kills; at += 20 {
		child := w.child("fire", server.URL)
		until(t, "some have arrived", func() bool { return to.count() >= at })
		_ = child.Process.Kill()
		_ = child.Wait()
	}
	for range stops {
		ctx, cancel := context.WithCancel(context.Background())
		r := New(w.config(destination, counts(&n), func(c *Config) { c.Timeout, c.GiveUpAfter = time.Second, time.Hour }))
		var running sync.WaitGroup
		running.Go(func() { _ = r.Run(ctx) })
		reached := to.count() + 1 + rand.IntN(60)
		until(t, "some have arrived", func() bool { return to.count() >= reached })
		cancel()
		running.Wait()
	}
	before := time.Now()
	w.relays(destination, counts(&n), func(c *Config) { c.Timeout, c.GiveUpAfter = time.Second, time.Hour })
	until(t, "half has arrived", func() bool { return to.count() >= 500 || time.Since(before) > 30*time.Second })
	to.out.Store(true)
	until(t, "all has arrived", func() bool { return to.distinct() == 1000 })
	repeats := inOrder(t, to.all(), w.number)
	t.Logf("%d kills, %d stops, %d refusals, %d repeats, %d dead letters", kills, stops, to.refused.Load(), repeats, n.dead.Load())
	if n.dead.Load() > 0 {
		t.Error("a dead letter, of what time alone would have delivered")
	}
	if most := int(to.refused.Load()) + (kills+stops)*16; repeats > most {
		t.Errorf("%d repeats; at most %d answers were lost", repeats, most)
	}
}

func (i *inbox) distinct() int {
	set := map[string]bool{}
	for _, id := range i.all() {
		set[id] = true
	}
	return len(set)
}
