package sim

import (
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// sessions are the tokens that are good or can be renewed, and the wrong passwords so far. Times are
// the CommServe's clock's.
type sessions struct {
	mu     sync.Mutex           // guards the rest
	alive  map[string]time.Time // when each login's was last used; an expired one can be renewed
	chains []*chain
	made   uint64
	wrong  int       // passwords in a row
	locked time.Time // until then
}

var unauthorized = refused(http.StatusUnauthorized, complaint("Access denied. The token is missing, wrong or expired.", 5))

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
		return s.sessions.admits(token, now, s.config.AccessLifetime)
	}
	if now.Sub(used) >= s.config.TokenLifetime {
		return false
	}
	s.sessions.alive[token] = now
	return true
}

// revoke ends a login. An access token can still be renewed.
func (s *sessions) revoke(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.alive, token)
	for _, c := range s.chains {
		if c.access == token {
			c.revoked = true
		}
	}
}

// login refuses with 200 and without a token, as a CommServe does.
func (s *Sim) login(body []byte, broken *strike) answer {
	given, err := readLogin(body)
	now := s.now()
	s.sessions.mu.Lock()
	defer s.sessions.mu.Unlock()
	if broken.is(AccountLocked) {
		s.sessions.locked = now.Add(s.config.LockTime)
	}
	if s.sessions.locked.After(now) {
		return s.loginRefused("The account is locked.", s.sessions.locked.Sub(now))
	}
	if err != nil || broken.is(WrongPassword) || !given.match(s.config) {
		return s.countWrong(now)
	}
	s.sessions.wrong = 0
	return s.admit(now)
}

// credentials are what POST Login takes, in both formats.
type credentials struct {
	XMLName  xml.Name `json:"-" xml:"DM2ContentIndexing_CheckCredentialReq"`
	Username string   `json:"username" xml:"username,attr"`
	Password string   `json:"password" xml:"password,attr"` // base64
}

func readLogin(body []byte) (given credentials, err error) {
	if isXML(body) {
		return given, xml.Unmarshal(body, &given)
	}
	return given, json.Unmarshal(body, &given)
}

func (c *credentials) match(config *Config) bool {
	password, err := base64.StdEncoding.DecodeString(c.Password)
	return err == nil && c.Username == config.Username && string(password) == config.Password
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
	attempts := int64(s.sessions.wrong)
	return ok(func(w *writer) {
		w.number("loginAttempts", attempts)
		w.number("remainingLockTime", int64(locked.Seconds()))
		w.flag("isAccountLocked", locked > 0)
		errList(w, 5, why)
	})
}

func (s *Sim) admit(now time.Time) answer {
	token := "QSDK " + s.mint()
	s.sessions.alive[token] = now
	return ok(func(w *writer) {
		w.text("token", token)
		w.text("userName", s.config.Username)
		w.text("aliasName", "1")
		w.text("userGUID", guid(1))
		w.number("loginAttempts", 0)
		w.number("remainingLockTime", 0)
		w.flag("isAccountLocked", false)
		w.flag("forcePasswordChange", false)
		w.number("providerType", 1)
		w.number("capability", 4328650366975)
		w.list("errList", 0, nil)
	})
}

// mint makes what no other token is.
func (s *Sim) mint() string {
	s.sessions.made++
	n := mix(uint64(s.config.Seed)) + s.sessions.made
	return fmt.Sprintf("%016x%016x", mix(n), mix(^n))
}

// chain is a pair of tokens, and the refresh tokens that it came from.
type chain struct {
	access, refresh string
	made            time.Time
	revoked         bool // the access token; the refresh token is good
	spent           []string
}

// Pair makes an access token and its refresh token, as a user does in the Command Center.
func (s *Sim) Pair() (access, refresh string) {
	s.sessions.mu.Lock()
	defer s.sessions.mu.Unlock()
	c := &chain{access: s.mint(), refresh: s.mint(), made: s.now()}
	s.sessions.chains = append(s.sessions.chains, c)
	return c.access, c.refresh
}

// admits is called with the sessions locked.
func (s *sessions) admits(access string, now time.Time, lifetime time.Duration) bool {
	return slices.ContainsFunc(s.chains, func(c *chain) bool {
		return c.access == access && !c.revoked && now.Sub(c.made) < lifetime
	})
}

// renewLogin gives a new token for a login's, which may have expired, and ends that one.
func (s *Sim) renewLogin(body []byte) answer {
	var given struct {
		XMLName   xml.Name `json:"-" xml:"DM2ContentIndexing_RenewLoginTokenReq"`
		SessionID string   `json:"sessionId" xml:"sessionId,attr"`
	}
	decode := json.Unmarshal
	if isXML(body) {
		decode = xml.Unmarshal
	}
	err := decode(body, &given)
	s.sessions.mu.Lock()
	defer s.sessions.mu.Unlock()
	if _, known := s.sessions.alive[given.SessionID]; err != nil || !known {
		return ok(func(w *writer) {
			w.object("error", func() {
				w.number("errorCode", 5)
				w.text("errLogMessage", "The session cannot be renewed.")
			})
		})
	}
	delete(s.sessions.alive, given.SessionID)
	token := "QSDK " + s.mint()
	s.sessions.alive[token] = s.now()
	return ok(func(w *writer) { w.text("token", token) })
}

// renewPair takes each refresh token once. Who comes with one again may be a thief: the chain ends.
func (s *Sim) renewPair(body []byte) answer {
	var given struct {
		Access  string `json:"accessToken"`
		Refresh string `json:"refreshToken"`
	}
	err := json.Unmarshal(body, &given)
	now := s.now()
	s.sessions.mu.Lock()
	defer s.sessions.mu.Unlock()
	for i, c := range s.sessions.chains {
		switch {
		case err != nil:
		case slices.Contains(c.spent, given.Refresh):
			s.sessions.chains = slices.Delete(s.sessions.chains, i, i+1)
			return refused(http.StatusBadRequest, complaint("Token reuse detected. The token has been purged.", 5))
		case c.refresh == given.Refresh && c.access == given.Access && now.Sub(c.made) < s.config.RefreshLifetime:
			return ok(s.renewed(c, now))
		}
	}
	return refused(http.StatusBadRequest, complaint("The refresh token is wrong or expired.", 5))
}

func (s *Sim) renewed(c *chain, now time.Time) doc {
	c.spent = append(c.spent, c.refresh)
	c.access, c.refresh, c.made, c.revoked = s.mint(), s.mint(), now, false
	access, refresh := c.access, c.refresh
	return func(w *writer) {
		w.text("accessToken", access)
		w.text("refreshToken", refresh)
		w.number("tokenExpiryTimestamp", now.Add(s.config.AccessLifetime).Unix())
	}
}
