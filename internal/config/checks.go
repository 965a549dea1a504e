package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"path"
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// Each check here is about one value. Its error says what is wanted; the reader shows the value.

var (
	namePattern = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
	slug        = regexp.MustCompile(`^[a-z0-9_]+$`)
)

func commCellName(s string) error {
	if !namePattern.MatchString(s) {
		return errors.New("wants letters, digits, _ and - only: it becomes part of each subject")
	}
	return nil
}

func notEmpty(s string) error {
	if s == "" {
		return errors.New("wants a value; leave the key out for the default")
	}
	return nil
}

func schedule(s string) error {
	_, err := ParseSchedule(s)
	return err
}

// serviceURL never repeats what url.Parse says, which quotes a password out of a broken URL.
func serviceURL(s string) error {
	const mend = "; write it like https://cs.example.com/webconsole/api"
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return errors.New("no URL" + mend)
	case u.Scheme != "http" && u.Scheme != "https":
		return errors.New("wants http:// or https:// in front" + mend)
	case u.Hostname() == "" || !portInRange(u.Port()):
		return errors.New("wants a host, and a port up to 65535 if any" + mend)
	case u.User != nil:
		return errors.New("wants no user in it; name them under auth")
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(s, "#"):
		return errors.New("wants no ? and # in it" + mend)
	}
	return nil
}

func brokers(s string) error {
	if s == embedded {
		return nil
	}
	for server := range strings.SplitSeq(s, ",") {
		if err := broker(strings.TrimSpace(server)); err != nil {
			return err
		}
	}
	return nil
}

func broker(s string) error {
	const mend = `wants "embedded", or nats://host:4222 (tls://, ws://, wss:// too), more of them with commas between`
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || !portInRange(u.Port()) {
		return errors.New(mend)
	}
	if u.User != nil {
		return errors.New("wants no user in it; set nats.user and nats.password_file, or nats.token_file")
	}
	switch u.Scheme {
	case "nats", "tls", "ws", "wss":
		return nil
	}
	return errors.New(mend)
}

func streamName(s string) error {
	if s == "" || strings.ContainsAny(s, `.*>/\`) || strings.ContainsFunc(s, blank) {
		return errors.New(`wants a name without . * > / \ and spaces`)
	}
	return nil
}

// domain is empty or one token.
func domain(s string) error {
	if strings.ContainsAny(s, ".*>") || strings.ContainsFunc(s, blank) {
		return errors.New("wants a name without . * > and spaces, as jetstream { domain: … } of the server's configuration says it")
	}
	return nil
}

// subjectPrefix is empty or one or more tokens.
func subjectPrefix(s string) error {
	if s == "" {
		return nil
	}
	for token := range strings.SplitSeq(s, ".") {
		if token == "" || strings.ContainsAny(token, "*>") || strings.ContainsFunc(token, blank) {
			return errors.New(`wants words with a . between, without * > and spaces; write it like "acme" or "acme.backup"`)
		}
	}
	return nil
}

func blank(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }

func hostPort(s string) error {
	_, port, err := net.SplitHostPort(s)
	if err != nil || port == "" || !portInRange(port) {
		return errors.New(`wants host:port; write it like "127.0.0.1:4222"`)
	}
	return nil
}

func hostPortOrOff(s string) error {
	if s == "" {
		return nil
	}
	if hostPort(s) != nil {
		return errors.New(`wants host:port, or "" for none; write it like "127.0.0.1:9480"`)
	}
	return nil
}

// portInRange takes no port for one: the scheme has a default.
func portInRange(port string) bool {
	_, err := strconv.ParseUint(port, 10, 16)
	return port == "" || err == nil
}

func glob(s string) error {
	if _, err := path.Match(s, ""); err != nil {
		return fmt.Errorf(`no pattern: a bracket is open; write it like "fall*" or "[a-c]*"`)
	}
	return nil
}
