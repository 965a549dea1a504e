package commvault

import (
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"jobwatch/internal/sim"
)

// logins answers each login with the same, and counts them.
type logins struct {
	code int // 0: no answer comes
	body string
	sent int
}

func (l *logins) RoundTrip(r *http.Request) (*http.Response, error) {
	if !isLogin(r) {
		return commserve(func(*http.Request) (int, string) { return 200, answer("", "", "") }).RoundTrip(r)
	}
	l.sent++
	if l.code == 0 {
		return nil, errors.New("connection reset by peer")
	}
	return commserve(func(*http.Request) (int, string) { return l.code, l.body }).RoundTrip(r)
}

// askEach asks at each tick of ten seconds.
func askEach(t *testing.T, c *Client, long time.Duration) (last error) {
	t.Helper()
	for began := time.Now(); time.Since(began) < long; time.Sleep(10 * time.Second) {
		last = ask(t, c)
	}
	return last
}

func TestARefusedLoginBacksOffWhateverTheStatus(t *testing.T) {
	for _, l := range []logins{
		{200, `{}`, 0}, {201, `{"errorMessage":"no"}`, 0}, {200, `{"userName":"watcher","errList":[]}`, 0}, {400, ``, 0}, {401, ``, 0},
		{403, `<title>no</title>`, 0}, {404, `{"errorMessage":"no"}`, 0}, {450, ``, 0}, {500, ``, 0}, {500, `{"errorMessage":"no"}`, 0}, {501, ``, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			c := newClient(t, Config{Username: "watcher", Password: secretPassword, Transport: &l})
			err := askEach(t, c, time.Hour) // sent at once, and after 1, 3, 7, 15 and 31 minutes
			if outcome(err) != "auth down" || !LoginRefused(err) || l.sent != 6 {
				t.Errorf("%d %s: %v after %d logins in an hour, want 6", l.code, l.body, err, l.sent)
			}
			l.code, l.body = 200, `{"data":{"authToken":"QSDK 1"}}` // names no user
			if err := askEach(t, c, 31*time.Minute); err != nil || l.sent != 7 {
				t.Errorf("%v after %d logins", err, l.sent)
			}
		})
	}
}

// It prolongs an outage by a minute at most, and counts towards no lock-out.
func TestALoginThatAGatewayAnswersIsTriedOnceAMinute(t *testing.T) {
	for _, l := range []logins{
		{502, ``, 0}, {503, `{"errorMessage":"starting"}`, 0}, {504, ``, 0}, {500, `<title>starting</title>`, 0},
		{200, `<title>starting</title>`, 0}, {200, `{"token":"QS`, 0}, {302, ``, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			c := newClient(t, Config{Username: "watcher", Password: secretPassword, Transport: &l})
			err := askEach(t, c, time.Hour)
			if KindOf(err) == Auth || !SourceDown(err) || Retryable(err) || !LoginRefused(err) || l.sent != 60 {
				t.Errorf("%d %s: %v after %d logins in an hour, want 60", l.code, l.body, err, l.sent)
			}
			l.code, l.body = 200, `{"token":"QSDK 1"}`
			if err := askEach(t, c, 2*time.Minute); err != nil || l.sent != 61 {
				t.Errorf("%v after %d logins", err, l.sent)
			}
		})
	}
}

// As any request it is then.
func TestALoginIsThrottled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := logins{code: 429}
		c := newClient(t, Config{Username: "watcher", Password: secretPassword, Transport: &l})
		for want, seconds := range []int{1, 2, 4, 8, 16} {
			for range seconds * 2 {
				if err := ask(t, c); KindOf(err) != Throttled || l.sent != want+1 {
					t.Errorf("%v after %d logins, want %d", err, l.sent, want+1)
				}
				time.Sleep(500 * time.Millisecond)
			}
		}
	})
}

func TestALoginWithoutAnAnswerIsNoRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := logins{}
		c := newClient(t, Config{Username: "watcher", Password: secretPassword, Transport: &l})
		for range 3 {
			if err := ask(t, c); outcome(err) != "unreachable retryable down" || LoginRefused(err) {
				t.Error(err)
			}
		}
		l.code, l.body = 200, `{"token":"QSDK 1"}`
		if err := ask(t, c); err != nil || l.sent != 4 {
			t.Errorf("%v after %d logins, want 4", err, l.sent)
		}
	})
}

func TestALoginThatIsToldWhenToComeAgainComesThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sim.New(sim.Config{})
		s.Add(sim.Job{ID: 71, Steps: []sim.Step{{State: "Running"}}})
		s.Fault(sim.Fault{Kind: sim.Unavailable, Op: sim.OpLogin, Next: 1, Delay: 20 * time.Second})
		c := newClient(t, Config{Username: "watcher", Password: "watcher", Transport: s.Inside()})
		for range 2 {
			if e, _ := errors.AsType[*Error](ask(t, c)); e == nil || e.Kind != Throttled || e.RetryAfter > 20*time.Second {
				t.Errorf("%+v", e)
			}
			time.Sleep(10 * time.Second)
		}
		if err := ask(t, c); err != nil || s.Counts()[sim.OpLogin] != 2 {
			t.Errorf("%v after %d logins", err, s.Counts()[sim.OpLogin])
		}
	})
}

// How long the account stays locked counts whatever the status, in seconds.
func TestALockIsReadInEachRefusal(t *testing.T) {
	for _, code := range []int{200, 401, 403, 500} {
		synctest.Test(t, func(t *testing.T) {
			l := logins{code: code, body: `{"isAccountLocked":true,"remainingLockTime":3600,"errorMessage":"locked"}`}
			e, _ := errors.AsType[*Error](ask(t, newClient(t, Config{Username: "watcher", Password: secretPassword, Transport: &l})))
			if e == nil || e.Kind != Auth || e.RetryAfter != time.Hour {
				t.Errorf("HTTP %d: %+v", code, e)
			}
		})
	}
}

// A password file that is gone is no answer of the CommServe: which one it is stays to be asked.
func TestWhatIsNotFitToAuthenticateWithSendsNothing(t *testing.T) {
	if err := (&Client{commcell: "prod"}).credentialError("Login", errors.New("gone")); !LoginRefused(err) {
		t.Error(err)
	}
	if LoginRefused(&Error{Kind: Auth, Code: http.StatusUnauthorized}) || LoginRefused(&Error{Kind: Unreachable}) {
		t.Error("the request was sent")
	}
}
