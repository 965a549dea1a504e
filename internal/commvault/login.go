package commvault

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// passwordLogin authenticates a user with a password: by a session that is renewed, or by a login where it cannot be.
type passwordLogin struct {
	client   *Client
	config   Config
	password func() (string, error) // read before each login
}

// next renews a token that was accepted once. One that never was shows that renewing does not help.
func (l *passwordLogin) next(ctx context.Context, stale token) (token, error) {
	if stale.text != "" && stale.proven {
		if text, err := l.client.renewLogin(ctx, stale); err == nil {
			return token{text: text, origin: asRenewed}, nil
		}
	}
	text, err := l.logIn(ctx)
	return token{text: text, origin: asIssued}, err
}

func (l *passwordLogin) configured() string {
	password, _ := l.password() // logIn reports what is wrong with it
	return password
}

// logIn gives a new token. A refusal is an *Error of the kind Auth.
func (l *passwordLogin) logIn(ctx context.Context) (string, error) {
	c, config := l.client, l.config
	var err error
	if config.Password, err = l.password(); err != nil {
		return "", c.credentialError("Login", err)
	}
	c.secrets.learn(config.Password, base64.StdEncoding.EncodeToString([]byte(config.Password)))
	var text string
	q := query{operation: "Login", method: http.MethodPost, path: "/Login", body: c.format.login(config), token: true, refused: readLock}
	q.decode = func(body []byte) (err error) {
		text, err = decodeLogin(body)
		return err
	}
	_, err = c.send(ctx, q, token{})
	if err == nil {
		c.log.Info("logged in", "commcell", c.commcell)
		return text, nil
	}
	return "", withoutToken(err, fmt.Sprintf("commcell %s: login as %q refused", c.commcell, config.Username))
}

// renewLogin gives a new token for one that has expired. Any failure is followed by a login.
func (c *Client) renewLogin(ctx context.Context, stale token) (text string, err error) {
	q := query{operation: "RenewLoginToken", method: http.MethodPost, path: "/RenewLoginToken", body: c.format.renewLogin(stale.text), token: true}
	q.decode = func(body []byte) error {
		answer, err := parse[loginAnswer](body, renewRoot)
		if err != nil {
			return err
		}
		if text = answer.v.tokenText(); text == "" {
			return &Error{Kind: Auth, Words: complaintOf(body)}
		}
		return nil
	}
	if _, err := c.send(ctx, q, stale); err != nil {
		c.log.Debug("the session is not renewed", "commcell", c.commcell, "err", err)
		return "", err
	}
	c.log.Info("renewed the session", "commcell", c.commcell)
	return text, nil
}

// withoutToken marks the error of an answer that brought no token as a refusal, which is not to be repeated at once. A
// request without an answer may be.
func withoutToken(err error, subject string) error {
	e, ours := errors.AsType[*Error](err)
	if !ours || e.Code == 0 {
		return err
	}
	e.refusal = true
	if isRefusal(e) {
		e.Kind, e.Err, e.subject = Auth, nil, subject
	}
	return err
}

// isRefusal says whether the CommServe itself refuses. A wrong password is HTTP 200 without a token; the other statuses
// are what releases make of it. A busy gateway and a web page are not the CommServe.
func isRefusal(e *Error) bool {
	switch e.Code {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden:
		return true
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return false
	}
	return e.Kind == Auth || e.Code >= 400 && !e.page
}

// decodeLogin gives the token, which already begins with "QSDK " and is sent as it stands. It alone makes a login:
// answers of SaaS name no user, and whether a token is good the next request shows.
func decodeLogin(body []byte) (string, error) {
	answer, err := parse[loginAnswer](body, loginRoot)
	if err != nil {
		return "", err
	}
	if token := answer.v.tokenText(); token != "" {
		return token, nil
	}
	refused := &Error{Kind: Auth, Words: complaintOf(body), RetryAfter: answer.v.lock()}
	if refused.Words == "" {
		refused.Words = "the answer holds no token"
		if answer.v.Locked.yes() {
			refused.Words = "the account is locked"
		}
	}
	return "", refused
}

// readLock finds how long the account is locked in a refusal with another status than 200.
func readLock(e *Error, body []byte) {
	if answer, err := parse[loginAnswer](body, loginRoot); err == nil {
		e.RetryAfter = answer.v.lock()
	}
}

const maxLock = 24 * time.Hour

// lock is for how long the account stays locked; the member counts seconds.
func (a *loginAnswer) lock() time.Duration {
	if a.RemainingLock.value == nil {
		return 0
	}
	return time.Duration(min(max(*a.RemainingLock.value, 0), int64(maxLock/time.Second))) * time.Second
}
