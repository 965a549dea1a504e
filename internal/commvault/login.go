package commvault

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// login is the way of a user with a password: a session that is renewed, and another one where it cannot be.
type login struct {
	client   *Client
	config   Config
	password func() (string, error) // read anew before each login
}

// next renews a token that was good once. One that never was shows that renewing does not help.
func (l *login) next(ctx context.Context, stale token) (token, error) {
	if stale.text != "" && stale.proven {
		if text, err := l.client.renewLogin(ctx, stale); err == nil {
			return token{text: text, origin: renewed}, nil
		}
	}
	text, err := l.logIn(ctx)
	return token{text: text, origin: fresh}, err
}

func (l *login) given() string {
	password, _ := l.password() // who logs in says what is wrong with it
	return password
}

// logIn gives a new token. A refusal is an *Error of the kind Auth.
func (l *login) logIn(ctx context.Context) (string, error) {
	c, config := l.client, l.config
	var err error
	if config.Password, err = l.password(); err != nil {
		return "", c.unfit("Login", err)
	}
	c.secrets.learn(config.Password, base64.StdEncoding.EncodeToString([]byte(config.Password)))
	var text string
	q := query{operation: "Login", method: http.MethodPost, path: "/Login", body: c.format.login(config)}
	q.decode = func(body []byte) (err error) {
		text, err = decodeLogin(body)
		return err
	}
	_, err = c.send(ctx, q, token{})
	if err == nil {
		c.log.Info("logged in", "commcell", c.commcell)
		return text, nil
	}
	var e *Error
	if errors.As(err, &e) && refusesLogin(e) {
		e.Kind, e.Err, e.refusal = Auth, nil, true
		e.subject = fmt.Sprintf("commcell %s: login as %q refused", c.commcell, config.Username)
	}
	return "", err
}

// renewLogin gives a new token for one that has expired. Whatever else comes of it, a login mends.
func (c *Client) renewLogin(ctx context.Context, stale token) (text string, err error) {
	q := query{operation: "RenewLoginToken", method: http.MethodPost, path: "/RenewLoginToken", body: c.format.renewLogin(stale.text), once: true}
	q.decode = func(body []byte) error {
		answer, err := parse[loginAnswer](body, renewRoot)
		if err != nil {
			return err
		}
		if text = answer.is.tokenText(); text == "" {
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

// A wrong password is HTTP 200 without a token; the other codes are what releases and gateways make of it.
func refusesLogin(e *Error) bool {
	switch e.Code {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden:
		return true
	}
	return e.Kind == Auth
}

const maxLock = 24 * time.Hour

// decodeLogin gives the token, which already begins with "QSDK " and is sent as it stands.
func decodeLogin(body []byte) (string, error) {
	answer, err := parse[loginAnswer](body, loginRoot)
	if err != nil {
		return "", err
	}
	if token := answer.is.tokenText(); token != "" {
		return token, nil
	}
	refused := &Error{Kind: Auth, Words: complaintOf(body)}
	if lock := answer.is.RemainingLock.value; lock != nil {
		seconds := min(max(*lock, 0), int64(maxLock/time.Second)) // seconds: its unit is documented nowhere
		refused.RetryAfter = time.Duration(seconds) * time.Second
	}
	if refused.Words == "" {
		refused.Words = "the answer holds no token"
		if answer.is.Locked.yes() {
			refused.Words = "the account is locked"
		}
	}
	return "", refused
}
