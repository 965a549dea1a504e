package sim

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func (c *caller) renewLogin(token string) string {
	c.t.Helper()
	renewed, _ := c.json("POST", "RenewLoginToken", fmt.Sprintf(`{"sessionId":%q}`, token))["token"].(string)
	return renewed
}

func TestALoginsTokenIsRenewedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := call(t, New(Config{}))
		first, _ := c.login("watcher")["token"].(string)
		time.Sleep(2 * time.Hour)
		second := c.renewLogin(first)
		for token, want := range map[string]int{first: 401, second: 200} {
			if c.token = token; c.status() != want {
				t.Errorf("%q: got %d, want %d", token, c.status(), want)
			}
		}
		for _, dead := range []string{first, "QSDK other", ""} {
			if got := c.renewLogin(dead); got != "" {
				t.Errorf("%q is renewed", dead)
			}
		}
		c.token = second
		c.text("POST", "Logout", "")
		if got := c.renewLogin(second); got != "" {
			t.Error("renewed after a logout")
		}
	})
}

func (c *caller) renewPair(access, refresh string) (status int, newAccess, newRefresh string) {
	c.t.Helper()
	body := fmt.Sprintf(`{"accessToken":%q,"refreshToken":%q}`, access, refresh)
	status, text := c.text("POST", "V4/AccessToken/Renew", body)
	pair := fromJSON(c.t, text)
	return status, pair["accessToken"], pair["refreshToken"]
}

func TestAPairIsRenewedOnceAndReuseEndsItsChain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Config{})
		c := call(t, s)
		a1, r1 := s.Pair()
		c.token = a1
		if got := c.status(); got != 200 {
			t.Fatalf("a new access token: got %d", got)
		}
		time.Sleep(30 * time.Minute)
		if got := c.status(); got != 401 {
			t.Fatalf("after 30m: got %d", got)
		}
		_, a2, r2 := c.renewPair(a1, r1)
		_, a3, r3 := c.renewPair(a2, r2)
		for token, want := range map[string]int{a1: 401, a2: 401, a3: 200} {
			if c.token = token; c.status() != want {
				t.Errorf("got %d, want %d", c.status(), want)
			}
		}
		if status, _, _ := c.renewPair(a1, r1); status != http.StatusBadRequest || !c.dead(a3) {
			t.Errorf("reuse: got %d", status)
		}
		if status, _, _ := c.renewPair(a3, r3); status != http.StatusBadRequest {
			t.Errorf("after reuse: got %d", status)
		}
	})
}

func (c *caller) dead(token string) bool {
	c.token = token
	return c.status() == http.StatusUnauthorized
}

func TestARefreshTokenIsGoodFor14Days(t *testing.T) {
	for after, want := range map[time.Duration]int{14*24*time.Hour - time.Second: 200, 14 * 24 * time.Hour: 400} {
		synctest.Test(t, func(t *testing.T) {
			s := New(Config{})
			access, refresh := s.Pair()
			time.Sleep(after)
			if status, _, _ := call(t, s).renewPair(access, refresh); status != want {
				t.Errorf("after %v: got %d, want %d", after, status, want)
			}
		})
	}
}

func TestARevokedAccessTokenCanBeRenewed(t *testing.T) {
	s := New(Config{})
	c := call(t, s)
	access, refresh := s.Pair()
	s.Fault(Fault{Kind: TokenRevoked, Next: 1})
	for range 2 {
		if !c.dead(access) {
			t.Error("the access token is good")
		}
	}
	_, access, _ = c.renewPair(access, refresh)
	if c.dead(access) {
		t.Error("the new one is not")
	}
}

func TestAPairOnDemand(t *testing.T) {
	s := New(Config{})
	w := httptest.NewRecorder()
	s.Control().ServeHTTP(w, httptest.NewRequest("POST", "/sim/pairs", nil))
	lines := strings.Split(w.Body.String(), "\n")
	if w.Code != http.StatusCreated || len(lines) != 3 {
		t.Fatalf("%d: %q", w.Code, lines)
	}
	if status, _, _ := call(t, s).renewPair(lines[0], lines[1]); status != http.StatusOK {
		t.Errorf("the pair is not renewed: %d", status)
	}
}
