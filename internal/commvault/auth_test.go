package commvault

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sync/errgroup"
)

// gate is a CommServe whose tokens count up, and expire when it is told so.
type gate struct {
	mu      sync.Mutex
	logins  int
	valid   string // the only token taken
	refusal string // the answer to a login, where it is refused
	slow    time.Duration
}

func (g *gate) serve(r *http.Request) (int, string) {
	if isLogin(r) {
		return g.serveLogin(r.Context())
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if r.Header.Get("Authtoken") != g.valid || g.valid == "" {
		return 401, `{"errorMessage":"token expired"}`
	}
	return 200, answer("", "", "")
}

func (g *gate) serveLogin(ctx context.Context) (int, string) {
	select {
	case <-time.After(g.slow):
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.logins++
	if g.refusal != "" {
		return 200, g.refusal
	}
	g.valid = fmt.Sprintf("QSDK %d", g.logins)
	return 200, fmt.Sprintf(`{"userName":"watcher","token":%q,"errList":[]}`, g.valid)
}

func (g *gate) set(change func(*gate)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	change(g)
}

func (g *gate) loggedIn() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.logins
}

func ask(t *testing.T, c *Client) error {
	t.Helper()
	_, err := c.JobDetails(t.Context(), 71)
	return err
}

func TestLoginSendsUserAndPassword(t *testing.T) {
	config := withLogin(func(r *http.Request) (int, string) {
		if !isLogin(r) {
			return 200, answer("", "", "")
		}
		want := `{"username":"watcher","password":"NWVjMmU3LXBhNTV3b3Jk","domain":"acme"}`
		if got := sent(r); r.Method != http.MethodPost || got != want || r.Header.Get("Authtoken") != "" {
			t.Errorf("%s %s, want %s", r.Method, got, want)
		}
		return 200, `{"token":"QSDK 1"}`
	})
	config.Domain = "acme"
	if err := ask(t, newClient(t, config)); err != nil {
		t.Fatal(err)
	}
}

func TestAllRequestsUnderWayShareOneLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{slow: time.Second}
		c := newClient(t, withLogin(g.serve))
		for want := 1; want <= 3; want++ {
			var all errgroup.Group
			for range 50 {
				all.Go(func() error { return ask(t, c) })
			}
			if err := all.Wait(); err != nil {
				t.Fatal(err)
			}
			if got := g.loggedIn(); got != want {
				t.Fatalf("%d logins for %d tokens", got, want)
			}
			g.set(func(g *gate) { g.valid = "QSDK other" })
		}
	})
}

func TestARequestIsRepeatedOnceOnly(t *testing.T) {
	var asked, logins atomic.Int64
	c := newClient(t, withLogin(func(r *http.Request) (int, string) {
		if isLogin(r) {
			return 200, fmt.Sprintf(`{"token":"QSDK %d"}`, logins.Add(1))
		}
		asked.Add(1)
		return 401, ``
	}))
	if err := ask(t, c); outcome(err) != "auth down" || err.Error() != "JobDetails of job 71: HTTP 401: Unauthorized" {
		t.Error(err)
	}
	if asked.Load() != 2 || logins.Load() != 2 {
		t.Errorf("asked %d times, %d logins, want 2 and 2", asked.Load(), logins.Load())
	}
}

func TestAReadyTokenIsNotRenewed(t *testing.T) {
	var asked int
	c := newClient(t, Config{Transport: commserve(func(*http.Request) (int, string) { asked++; return 401, "" })})
	if err := ask(t, c); outcome(err) != "auth down" || asked != 1 {
		t.Errorf("%v, asked %d times, want once", err, asked)
	}
}

const wrongPassword = `{"errorCode":5,"errorMessage":"Login refused","errList":[{"errorCode":7,"errorMessage":"No such password"}]}`

func TestARefusedLoginWaitsLongerEachTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{refusal: wrongPassword}
		c := newClient(t, withLogin(g.serve))
		for i, minutes := range []int{1, 2, 4, 8, 16, 30, 30} {
			err := ask(t, c)
			next := time.Now().Add(time.Duration(minutes) * time.Minute)
			want := `commcell prod: login as "watcher" refused: No such password; Login refused (next try ` + next.Format("15:04") + `)`
			if outcome(err) != "auth down" || err.Error() != want {
				t.Fatalf("got  %v\nwant %s", err, want)
			}
			time.Sleep(time.Until(next) - time.Second)
			e, _ := errors.AsType[*Error](ask(t, c))
			if e == nil || e.RetryAfter != time.Second || e.Error() != want {
				t.Errorf("a second before: %v", e)
			}
			if got := g.loggedIn(); got != i+1 {
				t.Fatalf("%d logins after %d waits", got, i+1)
			}
			time.Sleep(time.Second)
		}
		g.set(func(g *gate) { g.refusal = "" })
		if err := ask(t, c); err != nil {
			t.Error(err)
		}
	})
}

func TestASuccessfulLoginResetsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{refusal: wrongPassword}
		c := newClient(t, withLogin(g.serve))
		_ = ask(t, c)
		time.Sleep(time.Minute)
		_ = ask(t, c)
		time.Sleep(2 * time.Minute)
		g.set(func(g *gate) { g.refusal = "" })
		if err := ask(t, c); err != nil {
			t.Fatal(err)
		}
		g.set(func(g *gate) { g.refusal, g.valid = wrongPassword, "" })
		if e, _ := errors.AsType[*Error](ask(t, c)); e == nil || e.RetryAfter != time.Minute {
			t.Errorf("%+v", e)
		}
	})
}

func TestALockedAccountIsLeftAloneForAsLongAsItSays(t *testing.T) {
	for answer, want := range map[string]time.Duration{
		`{"isAccountLocked":true,"remainingLockTime":900,"errList":[{"errLogMessage":"locked"}]}`: 15 * time.Minute,
		`{"isAccountLocked":1,"remainingLockTime":"5","errList":[{"errLogMessage":"locked"}]}`:    time.Minute,
		`{"remainingLockTime":9e18,"errorMessage":"locked"}`:                                      24 * time.Hour,
		`{"remainingLockTime":-9,"errorMessage":"locked"}`:                                        time.Minute,
	} {
		synctest.Test(t, func(t *testing.T) {
			g := &gate{refusal: answer}
			e, _ := errors.AsType[*Error](ask(t, newClient(t, withLogin(g.serve))))
			if e == nil || e.RetryAfter != want || e.Words != "locked" {
				t.Errorf("%s: %+v", answer, e)
			}
		})
	}
}

func TestWhatIsARefusedLogin(t *testing.T) {
	for answer, want := range map[string]string{
		`200 {}`:                         `commcell prod: login as "watcher" refused: the answer holds no token (next try 00:01)`,
		`200 {"isAccountLocked":"true"}`: `commcell prod: login as "watcher" refused: the account is locked (next try 00:01)`,
		`200 {"token":""}`:               `commcell prod: login as "watcher" refused: the answer holds no token (next try 00:01)`,
		`401 `:                           `commcell prod: login as "watcher" refused: HTTP 401: Unauthorized (next try 00:01)`,
		`403 {"errorMessage":"go away"}`: `commcell prod: login as "watcher" refused: HTTP 403: go away (next try 00:01)`,
		`404 <title>lost</title>`:        `Login: HTTP 404: lost (next try 00:01)`,
		`500 `:                           `commcell prod: login as "watcher" refused: HTTP 500: Internal Server Error (next try 00:01)`,
		`200 <title>starting</title>`:    `Login: a web page where an answer was expected (is url: the web service's root?): starting (next try 00:01)`,
	} {
		synctest.Test(t, func(t *testing.T) {
			var code int
			_, _ = fmt.Sscan(answer, &code)
			c := newClient(t, withLogin(func(*http.Request) (int, string) { return code, answer[4:] }))
			want := strings.Replace(want, "00:01", time.Now().Add(time.Minute).Format("15:04"), 1)
			if err := ask(t, c); err.Error() != want {
				t.Errorf("%s:\ngot  %v\nwant %s", answer, err, want)
			}
		})
	}
}

func TestALoginOutlivesWhoBeganIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{slow: 10 * time.Second}
		c := newClient(t, withLogin(g.serve))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		patient := make(chan error)
		go func() {
			time.Sleep(500 * time.Millisecond) // joins the login under way
			patient <- ask(t, c)
		}()
		began := time.Now()
		if _, err := c.JobDetails(ctx, 71); outcome(err) != "timeout retryable down" || time.Since(began) != time.Second {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		if err := <-patient; err != nil || g.loggedIn() != 1 {
			t.Errorf("%v after %d logins", err, g.loggedIn())
		}
	})
}

func TestALoginThatHangsEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, withLogin(hang))
		if err := ask(t, c); err == nil || err.Error() != "Login: no complete answer within 30s" {
			t.Error(err)
		}
	})
}

func TestWhoeverComesLateTakesTheTokenThatIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{}
		c := newClient(t, withLogin(func(r *http.Request) (int, string) {
			code, body := g.serve(r)
			if strings.Contains(r.URL.Path, "/Job/") {
				time.Sleep(10 * time.Second) // a refusal that takes its time
			}
			return code, body
		}))
		if err := ask(t, c); err != nil {
			t.Fatal(err)
		}
		g.set(func(g *gate) { g.valid = "" })
		late := make(chan error)
		go func() {
			_, err := c.Summary(t.Context(), 71)
			late <- err
		}()
		synctest.Wait()
		if err := ask(t, c); err != nil {
			t.Fatal(err)
		}
		if err := <-late; KindOf(err) != NotAnAnswer || g.loggedIn() != 2 {
			t.Errorf("%v after %d logins, want 2", err, g.loggedIn())
		}
	})
}

func TestNothingIsSentWhileALoginIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{}
		var seen requests
		config := withLogin(g.serve)
		config.Observe = seen.observe
		c := newClient(t, config)
		_ = ask(t, c)
		g.set(func(g *gate) { g.valid, g.refusal = "", wrongPassword })
		for range 3 {
			_ = ask(t, c)
		}
		want := []string{"Login OK ", "JobDetails OK ", "JobDetails Unauthorized auth", "RenewLoginToken Unauthorized auth", "Login OK auth"}
		if !slices.Equal(seen.all, want) {
			t.Errorf("requests %q, want %q", seen.all, want)
		}
	})
}
