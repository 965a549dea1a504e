package sim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// sessions are the tokens that are good, and the wrong passwords so far. Times are the CommServe's clock's.
type sessions struct {
	mu     sync.Mutex           // guards the rest
	alive  map[string]time.Time // when each was last used
	made   uint64
	wrong  int       // passwords in a row
	locked time.Time // until then
}

var unauthorized = refused(http.StatusUnauthorized, `{"errorMessage":"Access denied. The token is missing, wrong or expired.","errorCode":5}`)

// token is the one that a request carries, in either of the two headers that clients use.
func token(r *http.Request) string {
	if token := r.Header.Get("Authtoken"); token != "" {
		return token
	}
	return strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
}

// authorized says whether a token is good, and keeps it so.
func (s *Sim) authorized(token string) bool {
	if token == s.config.Token {
		return true
	}
	now := s.now()
	s.sessions.mu.Lock()
	defer s.sessions.mu.Unlock()
	used, known := s.sessions.alive[token]
	if !known {
		return false
	}
	if now.Sub(used) >= s.config.TokenLifetime {
		delete(s.sessions.alive, token)
		return false
	}
	s.sessions.alive[token] = now
	return true
}

func (s *sessions) revoke(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.alive, token)
}

// login refuses with 200 and without a token, as a CommServe does.
func (s *Sim) login(body []byte) answer {
	var given struct {
		Username string `json:"username"`
		Password []byte `json:"password"` // base64
	}
	malformed := json.Unmarshal(body, &given) != nil
	now := s.now()
	s.sessions.mu.Lock()
	defer s.sessions.mu.Unlock()
	if s.sessions.locked.After(now) {
		return s.loginRefused("The account is locked.", s.sessions.locked.Sub(now))
	}
	if malformed || given.Username != s.config.Username || string(given.Password) != s.config.Password {
		return s.countWrong(now)
	}
	s.sessions.wrong = 0
	return s.admit(now)
}

// countWrong and the two below are called with the sessions locked.
func (s *Sim) countWrong(now time.Time) answer {
	if s.sessions.wrong++; s.sessions.wrong < s.config.LockAfter {
		return s.loginRefused("The user name or the password is wrong.", 0)
	}
	s.sessions.wrong = 0
	s.sessions.locked = now.Add(s.config.LockTime)
	return s.loginRefused("The account is locked.", s.config.LockTime)
}

func (s *Sim) loginRefused(why string, locked time.Duration) answer {
	return ok(fmt.Appendf(nil, `{"loginAttempts":%d,"remainingLockTime":%d,"isAccountLocked":%t,`+
		`"errList":[{"errorCode":5,"errLogMessage":%s}]}`,
		s.sessions.wrong, int(locked.Seconds()), locked > 0, quote(why)))
}

func (s *Sim) admit(now time.Time) answer {
	s.sessions.made++
	n := mix(uint64(s.config.Seed)) + s.sessions.made
	token := fmt.Sprintf("QSDK %016x%016x", mix(n), mix(^n))
	s.sessions.alive[token] = now
	return ok(append(object{
		"token": token, "userName": s.config.Username, "aliasName": "1", "userGUID": guid(1), "loginAttempts": 0,
		"remainingLockTime": 0, "isAccountLocked": false, "forcePasswordChange": false, "providerType": 1,
		"capability": 4328650366975, "errList": []object{},
	}.open(), '}'))
}
