package sim

import (
	"encoding/json"
	"encoding/xml"
	"net/http"
	"slices"
	"time"
)

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
