package commvault

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A login that began before a token was refused may bring just that one, to those who join it: they ask on.
func TestALoginThatBeganBeforeTheRefusalIsNotEnough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, withLogin(func(*http.Request) (int, string) { return 200, `{"token":"QSDK new"}` }))
		s := c.session
		old := s.keep(token{text: "QSDK old"})
		go s.renewals.Do("login", func() (any, error) {
			time.Sleep(time.Second)
			return old, nil
		})
		synctest.Wait()
		if next, err := s.renew(t.Context(), old); err != nil || next.text != "QSDK new" || next.generation != 2 {
			t.Errorf("got %+v, %v", next, err)
		}
	})
}

// What is known of a token is known of no other: neither that it was good, nor that it ends a row of refusals.
func TestWhatIsKnownOfATokenIsKnownOfThatOneAlone(t *testing.T) {
	s := &session{wait: time.Hour, token: token{text: "QSDK 2", generation: 2}}
	s.prove(token{text: "QSDK 1", generation: 1})
	if s.token.proven || s.wait == 0 {
		t.Errorf("the answer to an older token proves %+v", s.token)
	}
	s.prove(s.token)
	if !s.token.proven || s.wait != 0 {
		t.Errorf("the answer does not prove %+v", s.token)
	}
	if old := s.drop(token{text: "QSDK 1", generation: 1}); old.proven {
		t.Error("an older token is taken for one that was good")
	}
}

// The token was handed out before the first answer proved it; the request that learns of its end renews it all the same.
func TestATokenThatWasGoodIsRenewedWhoeverLearnsOfItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ended atomic.Bool // the first token
		renewals, logins := 0, 0
		c := newClient(t, withLogin(func(r *http.Request) (int, string) {
			switch {
			case isLogin(r):
				logins++
				return 200, `{"token":"QSDK 1"}`
			case strings.HasSuffix(r.URL.Path, "/RenewLoginToken"):
				renewals++
				return 200, `{"token":"QSDK 2"}`
			case strings.Contains(r.URL.Path, "/Job/"):
				time.Sleep(10 * time.Second)
			}
			if r.Header.Get("Authtoken") == "QSDK 1" && ended.Load() {
				return 401, ""
			}
			return 200, answer("", "", "")
		}))
		late := make(chan error)
		go func() {
			_, err := c.Summary(t.Context(), 71)
			late <- err
		}()
		time.Sleep(time.Second)
		if err := ask(t, c); err != nil {
			t.Fatal(err)
		}
		ended.Store(true)
		if <-late; logins != 1 || renewals != 1 {
			t.Errorf("%d logins and %d renewals, want one of each", logins, renewals)
		}
	})
}
