package commvault

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/sync/singleflight"
)

// The wait after a refused login or renewal doubles from the first to the last: too many tries lock an account.
const (
	firstLoginWait = time.Minute
	lastLoginWait  = 30 * time.Minute
)

// authenticator is how a Client comes by tokens. Only one call of next runs at a time.
type authenticator interface {
	// next gives another token than the stale one, whose text is empty where any will do.
	// The error is errSame, or an *Error.
	next(ctx context.Context, stale token) (token, error)
	// configured is what it authenticates with, as somebody wrote it down: once that changes, a refusal may be over.
	configured() string
}

// errSame says that there is no other token than the one that was refused.
var errSame = errors.New("the token is the same as before")

// token is what authenticates a request. Its generation counts them.
type token struct {
	text       string
	generation int
	origin     origin
	proven     bool // a request with it was not refused
}

type origin int

const (
	asConfigured origin = iota // as somebody wrote it down at some time
	asRenewed                  // in exchange for another, by RenewLoginToken
	asIssued                   // by a login, or by the renewal of a pair: there is none better
)

// session holds the token that all requests share.
type session struct {
	auth     authenticator
	renewals singleflight.Group // one call of next at a time, for all who wait

	exchanging chan struct{} // full while the exchange of a pair is in flight, until it is written: nobody gives up meanwhile

	mu         sync.Mutex
	token      token  // its text is empty: none, or one known to be refused
	refused    *Error // the last login or renewal, where its answer brought no token
	configured string // at that time
	locked     bool   // the server said until when
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
	return s.token, s.token.text != "" && s.token.generation > stale.generation
}

// renew gives a token newer than the one that was refused. All who ask meanwhile wait for the same
// login, which goes on when the caller that began it gives up.
func (s *session) renew(ctx context.Context, stale token) (token, error) {
	for {
		renewal := s.renewals.DoChan("login", func() (any, error) {
			return s.next(context.WithoutCancel(ctx), stale)
		})
		select {
		case <-ctx.Done():
			s.awaitExchange()
			return token{}, ctx.Err()
		case result := <-renewal:
			if result.Err != nil {
				return token{}, result.Err
			}
			// It may have begun before the refused token was handed out.
			if t := result.Val.(token); t.generation > stale.generation {
				return t, nil
			}
		}
	}
}

// maxExitDelay is what is left of the 10 s within which a program has to stop.
const maxExitDelay = 8 * time.Second

// awaitExchange waits while the exchange of a pair is in flight, as long as the program may stay.
func (s *session) awaitExchange() {
	select {
	case s.exchanging <- struct{}{}:
		<-s.exchanging
	case <-time.After(maxExitDelay):
	}
}

// next asks for a token, unless that was just done, or a refusal is too recent. Only one runs at a time.
func (s *session) next(ctx context.Context, stale token) (token, error) {
	if t, valid := s.newerThan(stale); valid {
		return t, nil
	}
	configured := s.auth.configured()
	if refused := s.stillRefused(configured); refused != nil {
		return token{}, refused
	}
	t, err := s.auth.next(ctx, s.drop(stale))
	if err != nil {
		return token{}, s.failed(err, configured)
	}
	return s.keep(t), nil
}

// drop keeps the refused token from other requests, and adds to it what is known by now.
func (s *session) drop(stale token) token {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token.text = ""
	if s.token.generation == stale.generation {
		stale.proven = s.token.proven
	}
	return stale
}

func (s *session) keep(t token) token {
	s.mu.Lock()
	defer s.mu.Unlock()
	t.generation = s.token.generation + 1
	s.token, s.refused = t, nil
	return t
}

// prove notes that the server accepted the token: the next refusal starts with the shortest wait again.
func (s *session) prove(t token) {
	if t.proven {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.token.generation == t.generation {
		s.token.proven, s.wait = true, 0
	}
}

// stillRefused is the last refusal, until the next try is due or something else is configured; a locked account stays.
func (s *session) stillRefused(configured string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refused == nil || !time.Now().Before(s.nextTry) || configured != s.configured && !s.locked {
		return nil
	}
	refused := *s.refused
	refused.RetryAfter = time.Until(s.nextTry)
	return &refused
}

// failed notes an answer that brought no token, and when to try again. A login without an answer may be tried again at
// once.
func (s *session) failed(err error, configured string) error {
	e, ok := errors.AsType[*Error](err)
	if !ok || !e.refusal {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.locked = e.RetryAfter > 0
	s.nextTry = time.Now().Add(s.nextWait(e))
	e.RetryAfter = time.Until(s.nextTry)
	e.tail += fmt.Sprintf(" (next try %s)", s.nextTry.Format("15:04"))
	s.refused, s.configured = e, configured
	return e
}

// nextWait grows from refusal to refusal, and is the server's own where it locked the account. An
// answer of a gateway in its place is no refusal: the wait stays as short as asked for, so as not to prolong an outage.
func (s *session) nextWait(e *Error) time.Duration {
	if e.Kind != Auth {
		return cmp.Or(e.RetryAfter, firstLoginWait)
	}
	s.wait = min(max(2*s.wait, firstLoginWait), lastLoginWait)
	return max(s.wait, e.RetryAfter)
}

// staticToken authenticates with a token that is not renewed here. Its file may hold another one by now.
type staticToken struct {
	client *Client
	read   func() (string, error)
}

func (r *staticToken) next(_ context.Context, stale token) (token, error) {
	text, err := r.read()
	switch {
	case err != nil:
		return token{}, r.client.credentialError("Token", err)
	case text == stale.text:
		return token{}, errSame
	}
	r.client.secrets.learn(text)
	return token{text: text}, nil
}

func (r *staticToken) configured() string { return "" } // there is no login that could be refused

var errStaleToken = errors.New("the token is refused or has expired; put a new one in auth.token or auth.token_file")

// credentialError is one of what is configured to authenticate with; nothing was sent.
func (c *Client) credentialError(operation string, err error) *Error {
	return &Error{Operation: operation, Kind: Auth, Err: err, subject: "commcell " + c.commcell}
}

// passwordIn is tokenIn for a password, to which white space may belong.
func passwordIn(c Config) func() (string, error) {
	return func() (string, error) {
		if c.PasswordFile == "" {
			return c.Password, nil
		}
		return c.ReadSecret("auth.password_file", c.PasswordFile)
	}
}

// tokenIn reads a token that stands in the configuration itself, or else in a file, which is read each time.
func tokenIn(readSecret func(key, file string) (string, error), key, value, file string) func() (string, error) {
	return func() (string, error) {
		if file == "" {
			return strings.TrimSpace(value), nil
		}
		text, err := readSecret(key, file)
		if text = strings.TrimSpace(text); err == nil && text == "" {
			err = fmt.Errorf("%s: %s: empty; write the token into it", key, file)
		}
		return text, err
	}
}

// secrets are the tokens and passwords used last. Errors repeat none of them.
type secrets struct {
	mu  sync.Mutex
	all []string
}

const keptSecrets = 32 // those of some renewals; an answer may come late

func (s *secrets) learn(some ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, some...)
	if more := len(s.all) - keptSecrets; more > 0 {
		s.all = append([]string(nil), s.all[more:]...)
	}
}

// A shorter one may be a common word, and without it the server's own sentence would be garbled: the password is ***.
const shortestSecret = 8 // characters

// hide takes them out of what a server said, each with and without its prefix. In what we say ourselves there is none.
func (s *secrets) hide(text string, more ...string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, list := range [][]string{more, s.all} {
		for _, secret := range list {
			_, bare, _ := strings.Cut(secret, " ")
			for _, form := range []string{secret, bare} {
				if utf8.RuneCountInString(form) >= shortestSecret {
					text = strings.ReplaceAll(text, form, "***")
				}
			}
		}
	}
	return text
}
