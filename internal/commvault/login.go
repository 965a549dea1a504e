package commvault

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// logIn gives a new token. A refusal is an *Error of the kind Auth.
func (c *Client) logIn(ctx context.Context) (string, error) {
	var text string
	q := query{operation: "Login", method: http.MethodPost, path: "/Login", body: c.login}
	q.decode = func(body []byte) (err error) {
		text, err = decodeLogin(body)
		return err
	}
	_, err := c.send(ctx, q, token{})
	if err == nil {
		c.log.Info("logged in", "commcell", c.commcell)
		return text, nil
	}
	var e *Error
	if errors.As(err, &e) && refusesLogin(e) {
		e.Kind, e.Err = Auth, nil
		e.subject = fmt.Sprintf("commcell %s: login as %q refused", c.commcell, c.username)
	}
	return "", err
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
	refused := &Error{Kind: Auth, Words: answer.is.words()}
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
