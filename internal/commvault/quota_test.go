package commvault

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sync/errgroup"
)

// limited answers each request with a status and headers.
type limited struct {
	code    int
	headers map[string]string
}

func (l *limited) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := commserve(func(*http.Request) (int, string) { return l.code, answer("", "", "") }).RoundTrip(r)
	if err == nil {
		for name, value := range l.headers {
			response.Header.Set(name, value)
		}
	}
	return response, err
}

func TestA429SaysHowLongToWait(t *testing.T) {
	for _, row := range []struct {
		code    int
		headers map[string]string
		want    time.Duration
		tail    string
	}{
		{429, map[string]string{"X-RateLimit-Limit": "1000", "X-RateLimit-Period": "3600"}, time.Hour, " (1000 requests are allowed in 1h0m0s; retry after 1h0m0s)"},
		{429, map[string]string{"X-RateLimit-Period": " 90 "}, 90 * time.Second, " (retry after 1m30s)"},
		{429, map[string]string{"X-RateLimit-Limit": "1000", "X-RateLimit-Period": "3600", "Retry-After": "20"}, 20 * time.Second, " (1000 requests are allowed in 1h0m0s; retry after 20s)"},
		{429, map[string]string{"X-RateLimit-Limit": "100", "Retry-After": "20"}, 20 * time.Second, " (retry after 20s)"}, // in what time, it does not say
		{429, map[string]string{"X-RateLimit-Period": "9999999999"}, 24 * time.Hour, " (retry after 24h0m0s)"},
		{429, map[string]string{"X-RateLimit-Period": "an hour"}, time.Second, ""},
		{429, map[string]string{"X-RateLimit-Period": "-5", "X-RateLimit-Limit": "0"}, time.Second, ""},
		{429, nil, time.Second, ""},
		{503, map[string]string{"Retry-After": "5"}, 5 * time.Second, " (retry after 5s)"},
		{503, map[string]string{"X-RateLimit-Period": "3600"}, 0, ""}, // it is busy: no quota is spent
		{503, nil, 0, ""},
	} {
		err := ask(t, newClient(t, Config{Transport: &limited{row.code, row.headers}}))
		e, ours := errors.AsType[*Error](err)
		if !ours || e.Kind != Throttled || e.RetryAfter != row.want || e.tail != row.tail || (e.Rate > 0) != strings.Contains(row.tail, "allowed in") {
			t.Errorf("%d %v: %+v", row.code, row.headers, e)
		}
	}
}

// What is refused at once counts as one refusal; an answer resets the wait.
func TestTheWaitAfterABare429Grows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &limited{code: 429}
		c := newClient(t, Config{Transport: server})
		for round := range 2 {
			for i, seconds := range []int{1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300} {
				var all errgroup.Group
				for range 8 {
					all.Go(func() error {
						if e, ours := errors.AsType[*Error](ask(t, c)); !ours || e.RetryAfter != time.Duration(seconds)*time.Second {
							t.Errorf("round %d, refusal %d: %+v, want %d s", round, i+1, e, seconds)
						}
						return nil
					})
				}
				_ = all.Wait()
				time.Sleep(time.Duration(seconds) * time.Second)
			}
			server.code = 200
			_ = ask(t, c)
			server.code = 429
		}
	})
}

// An answer to a request that was under way when another was refused is no sign that the quota is there again.
func TestAnAnswerDuringTheWaitDoesNotEndIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &limited{code: 429}
		c := newClient(t, Config{Transport: server})
		_ = ask(t, c)
		server.code = 200
		_ = ask(t, c)
		server.code = 429
		time.Sleep(time.Second)
		if e, ours := errors.AsType[*Error](ask(t, c)); !ours || e.RetryAfter != 2*time.Second {
			t.Errorf("%+v, want 2 s", e)
		}
	})
}

func TestQuotaCountsTheRequestsOfThePresentPeriod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &limited{code: 200}
		c := newClient(t, Config{Transport: server})
		spend := func(requests int, want Quota) {
			t.Helper()
			for range requests {
				_ = ask(t, c)
			}
			if got := c.Quota(); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		}
		spend(0, Quota{0, time.Hour, 0})
		spend(3, Quota{0, time.Hour, 3})
		time.Sleep(59 * time.Minute)
		spend(2, Quota{0, time.Hour, 5})
		time.Sleep(time.Minute)
		spend(0, Quota{0, time.Hour, 0})
		spend(1, Quota{0, time.Hour, 1})
		server.headers = map[string]string{"X-RateLimit-Limit": "10", "X-RateLimit-Period": "60"}
		spend(1, Quota{10, time.Minute, 2})
		time.Sleep(time.Minute)
		spend(4, Quota{10, time.Minute, 4})
		server.headers = nil // it is not named with each answer
		spend(1, Quota{10, time.Minute, 5})
	})
}

func TestALoginCountsInTheQuota(t *testing.T) {
	c := newClient(t, withLogin(func(r *http.Request) (int, string) {
		if isLogin(r) {
			return 200, `{"token":"QSDK 1"}`
		}
		return 200, answer("", "", "")
	}))
	_ = ask(t, c)
	if got := c.Quota().Spent; got != 2 {
		t.Errorf("%d requests", got)
	}
}
