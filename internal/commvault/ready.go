package commvault

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"jobwatch/internal/config"
)

// ready is the way of a token that nobody renews here. Another one may stand in its file by now.
type ready struct {
	client *Client
	read   func() (string, error)
}

func (r *ready) next(_ context.Context, stale token) (token, error) {
	text, err := r.read()
	switch {
	case err != nil:
		return token{}, r.client.unfit("Token", err)
	case text == stale.text:
		return token{}, errSame
	}
	r.client.secrets.learn(text)
	return token{text: text}, nil
}

func (r *ready) given() string { return "" } // it refuses nothing

var errStaleToken = errors.New("the token is refused or has expired; put a new one in auth.token or auth.token_file")

// unfit is an error with what was given to authenticate with; nothing was sent.
func (c *Client) unfit(operation string, err error) *Error {
	return &Error{Operation: operation, Kind: Auth, Err: err, subject: "commcell " + c.commcell}
}

// passwordIn differs: white space may belong to a password.
func passwordIn(c Config) func() (string, error) {
	return func() (string, error) {
		if c.PasswordFile == "" {
			return c.Password, nil
		}
		return config.ReadSecret("auth.password_file", c.PasswordFile)
	}
}

// givenIn reads a token that stands in the configuration itself, or else in a file, each time anew.
func givenIn(key, value, file string) func() (string, error) {
	return func() (string, error) {
		if file == "" {
			return strings.TrimSpace(value), nil
		}
		text, err := config.ReadSecret(key, file)
		if text = strings.TrimSpace(text); err == nil && text == "" {
			err = fmt.Errorf("%s: %s: empty; write the token into it", key, file)
		}
		return text, err
	}
}
