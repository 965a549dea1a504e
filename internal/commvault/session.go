package commvault

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// The wait after a refused login doubles from the first to the last: a user that tries on is locked.
const (
	firstLoginWait = time.Minute
	lastLoginWait  = 30 * time.Minute
)

// token is what authenticates a request. Its generation counts the logins.
type token struct {
	text       string
	generation int
}

// session holds the token that all requests share.
type session struct {
	login   func(context.Context) (string, error) // nil: the token was given ready
	flights singleflight.Group                    // one login at a time, whoever waits for it

	mu         sync.Mutex
	token      string // "": none, or one known to have expired
	generation int
	refused    *Error // the last login, where it was refused
	nextTry    time.Time
	wait       time.Duration
}

// current gives the token, after a login where there is none.
func (s *session) current(ctx context.Context) (token, error) {
	if t, valid := s.newerThan(token{generation: -1}); valid {
		return t, nil
	}
	return s.renew(ctx, token{})
}

func (s *session) newerThan(stale token) (token, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return token{s.token, s.generation}, s.token != "" && s.generation > stale.generation
}

// renew gives a token newer than the one that was refused. All who ask meanwhile wait for the same
// login, which goes on when the one that began it gives up.
func (s *session) renew(ctx context.Context, stale token) (token, error) {
	for {
		flight := s.flights.DoChan("login", func() (any, error) {
			return s.next(context.WithoutCancel(ctx), stale)
		})
		select {
		case <-ctx.Done():
			return token{}, ctx.Err()
		case landed := <-flight:
			if landed.Err != nil {
				return token{}, landed.Err
			}
			// The flight may have been one that began before the refused token was handed out.
			if t := landed.Val.(token); t.generation > stale.generation {
				return t, nil
			}
		}
	}
}

// next logs in, unless somebody just did, or a refusal is too fresh. Only one runs at a time.
func (s *session) next(ctx context.Context, stale token) (token, error) {
	if t, valid := s.newerThan(stale); valid {
		return t, nil
	}
	if refused := s.stillRefused(); refused != nil {
		return token{}, refused
	}
	s.forget()
	text, err := s.login(ctx)
	if err != nil {
		return token{}, s.loginFailed(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token, s.generation, s.refused, s.wait = text, s.generation+1, nil, 0
	return token{s.token, s.generation}, nil
}

func (s *session) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token = ""
}

func (s *session) stillRefused() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refused == nil || !time.Now().Before(s.nextTry) {
		return nil
	}
	refused := *s.refused
	refused.RetryAfter = time.Until(s.nextTry)
	return &refused
}

// loginFailed notes a refusal, and when to try again. A login that got no answer is none.
func (s *session) loginFailed(err error) error {
	e, ok := err.(*Error)
	if !ok || e.Kind != Auth {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wait = min(max(2*s.wait, firstLoginWait), lastLoginWait)
	s.nextTry = time.Now().Add(max(s.wait, e.RetryAfter)) // the server's own wait, where it locked the account
	e.RetryAfter = time.Until(s.nextTry)
	e.tail = fmt.Sprintf(" (next try %s)", s.nextTry.Format("15:04"))
	s.refused = e
	return e
}
