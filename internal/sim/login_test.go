package sim

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func (c *caller) login(password string) tree {
	c.t.Helper()
	return c.json("POST", "Login", fmt.Sprintf(`{"username":"watcher","password":%q,"mode":4}`,
		base64.StdEncoding.EncodeToString([]byte(password))))
}

func (c *caller) status() int {
	c.t.Helper()
	status, _ := c.text("GET", "Job", "")
	return status
}

func TestTokenExpiresWhenUnused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := call(t, New(Config{Speed: 10}))
		c.token, _ = c.login("watcher")["token"].(string)
		if !strings.HasPrefix(c.token, "QSDK ") {
			t.Fatalf("token: got %q", c.token)
		}
		for range 3 {
			time.Sleep(29 * time.Minute)
			if got := c.status(); got != http.StatusOK {
				t.Fatalf("29m unused: got %d", got)
			}
		}
		time.Sleep(30 * time.Minute)
		if got := c.status(); got != http.StatusUnauthorized {
			t.Errorf("30m unused: got %d", got)
		}
	})
}

func TestTokens(t *testing.T) {
	s := New(Config{Token: "QSDK given"})
	for token, want := range map[string]int{"QSDK given": 200, "QSDK other": 401, "": 401} {
		c := call(t, s)
		if c.token = token; c.status() != want {
			t.Errorf("token %q: got %d, want %d", token, c.status(), want)
		}
	}
	bearer := call(t, s)
	bearer.token, bearer.header = "", map[string]string{"Authorization": "Bearer QSDK given"}
	if got := bearer.status(); got != 200 {
		t.Errorf("bearer: got %d", got)
	}
	c := call(t, s)
	c.token = c.login("watcher")["token"].(string)
	if _, said := c.text("POST", "Logout", ""); said != "User logged out" {
		t.Errorf("logout: got %q", said)
	}
	if got := c.status(); got != 401 {
		t.Errorf("after logout: got %d", got)
	}
}

func TestWrongPasswordsLockTheAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := call(t, New(Config{LockAfter: 3, LockTime: 15 * time.Minute}))
		for try := range 3 {
			answer := c.login("wrong")
			if answer["token"] != nil || len(answer["errList"].([]any)) != 1 || answer["isAccountLocked"] != (try == 2) {
				t.Errorf("wrong password %d: got %v", try+1, answer)
			}
		}
		time.Sleep(5 * time.Minute)
		if answer := c.login("watcher"); answer["token"] != nil || answer["remainingLockTime"] != json.Number("600") {
			t.Errorf("after 5m: got %v", answer)
		}
		time.Sleep(10 * time.Minute)
		if answer := c.login("watcher"); answer["token"] == nil || answer["isAccountLocked"] != false {
			t.Errorf("after 15m: got %v", answer)
		}
	})
}

func TestWhoIsLetIn(t *testing.T) {
	for body, in := range map[string]bool{
		`{"username":"watcher","password":"d2F0Y2hlcg=="}`:                                  true,
		`{"username":"admin","password":"d2F0Y2hlcg=="}`:                                    false,
		`{"username":"watcher","password":"watcher"}`:                                       false, // no base64
		`{"username":"watcher"}`:                                                            false,
		`<DM2ContentIndexing_CheckCredentialReq username="admin" password="d2F0Y2hlcg=="/>`: false,
		`username=watcher`: false,
		``:                 false,
	} {
		c := call(t, New(Config{}))
		c.header = map[string]string{"Accept": "application/json"}
		if got := c.json("POST", "Login", body); (got["token"] != nil) != in {
			t.Errorf("%s: got %v", body, got)
		}
	}
}
