package commvault

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// The wait after a refused login or renewal doubles from the first to the last: a user that tries on is locked.
const (
	firstLoginWait = time.Minute
	lastLoginWait  = 30 * time.Minute
)

// way is how a Client comes by tokens. Only one call of next runs at a time.
type way interface {
	// next gives another token than the stale one, whose text is empty where any will do.
	// The error is errSame, or an *Error.
	next(ctx context.Context, stale token) (token, error)
	// given is what somebody wrote down for it: once that is another, a refusal may be over.
	given() string
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
	found   origin = iota // as somebody wrote it down, who knows when
	renewed               // made of another, by RenewLoginToken
	fresh                 // by a login, or from a pair: there is none better
)

// session holds the token that all requests share.
type session struct {
	way     way
	flights singleflight.Group // one at a time asks the way, whoever waits for it

	undivided chan struct{} // full while a new pair is asked for and written: nobody gives up meanwhile

	mu      sync.Mutex
	token   token  // its text is empty: none, or one known to be refused
	refused *Error // the last login or renewal, where its answer brought no token
	offered string // what was given then
	locked  bool   // the server said until when
	nextTry time.Time
	wait    time.Duration
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
// login, which goes on when the one that began it gives up.
func (s *session) renew(ctx context.Context, stale token) (token, error) {
	for {
		flight := s.flights.DoChan("login", func() (any, error) {
			return s.next(context.WithoutCancel(ctx), stale)
		})
		select {
		case <-ctx.Done():
			s.awaitPair()
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

// longestStay is what is left of the 10 s in which a program that is told to stop has to.
const longestStay = 8 * time.Second

// awaitPair lets nobody leave while a new pair is on its way, for as long as one may stay.
func (s *session) awaitPair() {
	select {
	case s.undivided <- struct{}{}:
		<-s.undivided
	case <-time.After(longestStay):
	}
}

// next asks the way, unless somebody just did, or a refusal is too fresh. Only one runs at a time.
func (s *session) next(ctx context.Context, stale token) (token, error) {
	if t, valid := s.newerThan(stale); valid {
		return t, nil
	}
	given := s.way.given()
	if refused := s.stillRefused(given); refused != nil {
		return token{}, refused
	}
	t, err := s.way.next(ctx, s.drop(stale))
	if err != nil {
		return token{}, s.failed(err, given)
	}
	return s.keep(t), nil
}

// drop lets no other request take the refused token, and says what is known of it by now.
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

// prove notes that the server took the token: the next refusal begins a new row.
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

// stillRefused says so until the next try, or until something else is given. A locked account stays so.
func (s *session) stillRefused(given string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refused == nil || !time.Now().Before(s.nextTry) || given != s.offered && !s.locked {
		return nil
	}
	refused := *s.refused
	refused.RetryAfter = time.Until(s.nextTry)
	return &refused
}

// failed notes an answer that brought no token, and when to try again. A login that got no answer is tried again at
// any time.
func (s *session) failed(err error, given string) error {
	e, ok := err.(*Error)
	if !ok || !e.refusal {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.locked = e.RetryAfter > 0
	s.nextTry = time.Now().Add(s.nextWait(e))
	e.RetryAfter = time.Until(s.nextTry)
	e.tail += fmt.Sprintf(" (next try %s)", s.nextTry.Format("15:04"))
	s.refused, s.offered = e, given
	return e
}

// nextWait grows from refusal to refusal, and is the server's own where it locked the account. Who answers in the
// CommServe's place refuses nobody: the wait stays as short as it was asked for, so that an outage is not prolonged.
func (s *session) nextWait(e *Error) time.Duration {
	if e.Kind != Auth {
		return cmp.Or(e.RetryAfter, firstLoginWait)
	}
	s.wait = min(max(2*s.wait, firstLoginWait), lastLoginWait)
	return max(s.wait, e.RetryAfter)
}
