package email

import (
	"errors"
	"fmt"
	"net/textproto"
	"slices"
	"strings"

	"github.com/wneessen/go-mail/smtp"
)

var errNoLogin = errors.New("offers no login that jobwatch knows (PLAIN, LOGIN, CRAM-MD5)")

// login takes the first way that the server offers. SCRAM is none of them: it brings a quarter of a megabyte of Unicode's
// tables, and a server that offers it does so beside PLAIN, over a connection that is encrypted.
func (l *line) login() error {
	if l.Username == "" {
		return nil
	}
	_, offered := l.Extension("AUTH")
	names := strings.Fields(offered)
	switch {
	case slices.Contains(names, "PLAIN"):
		return l.loginBy(smtp.PlainAuth("", l.Username, l.secret, l.host, false))
	case slices.Contains(names, "LOGIN"):
		return l.loginBy(smtp.LoginAuth(l.Username, l.secret, l.host, false))
	case slices.Contains(names, "CRAM-MD5"):
		return l.loginBy(smtp.CRAMMD5Auth(l.Username, l.secret))
	}
	return errNoLogin
}

func (l *line) loginBy(way smtp.Auth) error {
	err := l.Auth(way)
	if err == nil {
		return nil
	}
	mend := ""
	if answer, answered := errors.AsType[*textproto.Error](err); answered && answer.Code >= 500 {
		mend = "; is password_file right?"
	}
	return fmt.Errorf("login as %q refused: %w%s", l.Username, err, mend)
}
