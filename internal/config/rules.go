package config

import (
	"errors"
	"net"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Each check here is about one text. Its error says what is wanted; the reader shows the text.

func schedule(s string) error {
	_, err := ParseSchedule(s)
	return err
}

// serviceURL never repeats what url.Parse says, which quotes a password out of a broken URL.
func serviceURL(s string) error {
	const fix = "; write it like https://cs.example.com/webconsole/api"
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return errors.New("no URL" + fix)
	case u.Scheme != "http" && u.Scheme != "https":
		return errors.New("wants http:// or https:// in front" + fix)
	case u.Hostname() == "" || !portInRange(u.Port()):
		return errors.New("wants a host, and a port up to 65535 if any" + fix)
	case u.User != nil:
		return errors.New("wants no user in it; name them under auth")
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(s, "#"):
		return errors.New("wants no ? and # in it" + fix)
	}
	return nil
}

func brokers(s string) error {
	if s == embedded {
		return nil
	}
	for server := range strings.SplitSeq(s, ",") {
		u, err := url.Parse(strings.TrimSpace(server))
		isURL := err == nil && u.Hostname() != "" && portInRange(u.Port())
		switch {
		case isURL && u.User != nil:
			return errors.New("wants no user in it; set nats.user and nats.password_file, or nats.token_file")
		case !isURL || !slices.Contains([]string{"nats", "tls", "ws", "wss"}, u.Scheme):
			return errors.New(`wants "embedded", or nats://host:4222 (tls://, ws://, wss:// too), more of them with commas between`)
		}
	}
	return nil
}

func hostPort(s string) error {
	if _, port, err := net.SplitHostPort(s); err != nil || port == "" || !portInRange(port) {
		return errors.New(`wants host:port; write it like "127.0.0.1:4222"`)
	}
	return nil
}

func hostPortOrOff(s string) error {
	if s != "" && hostPort(s) != nil {
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
		return errors.New(`no pattern: a bracket is open; write it like "fall*" or "[a-c]*"`)
	}
	return nil
}

// Each rule here is about several keys of one section.

func (c *Config) rules(r *reader, n node) {
	missing := node{key: "commcells", line: n.line}
	r.failIf(r.lines[missing.key] == 0, missing, "missing; name at least one CommServe, as configs/minimal.yaml does")
	r.failIf(c.Cluster.Enabled && c.NATS.UsesEmbedded(), node{key: "cluster.enabled", line: r.lines["cluster.enabled"]},
		"true: the others cannot meet in the embedded server; name servers in nats.url, or leave this watcher alone with false")
}

func (c *CommCell) rules(r *reader, n node) {
	c.URL = strings.TrimRight(c.URL, "/")
	r.failIf(c.Name == "", r.member(n, "name"), `missing; name the CommCell, as "prod"`)
	r.failIf(c.URL == "", r.member(n, "url"), "missing; write it like https://cs.example.com/webconsole/api")
	if auth := r.member(n, "auth"); r.lines[auth.key] == 0 {
		c.Auth.rules(r, auth)
	}
	// Else the Job list would bring back a job that was forgotten.
	if kept, found := c.KeepFinished, c.Discover.FinishedWithin; kept < found {
		at := r.member(n, "keep_finished")
		given := r.lines[at.key] > 0
		r.failIf(given, at, "%s: less than discover.finished_within, which is %s; make it at least that", short(kept), short(found))
		r.failIf(!given, r.member(n, "discover.finished_within"), "%s: more than keep_finished, which is %s; make it at most that", short(found), short(kept))
	}
}

// rules want exactly one way to log in, and that whole.
func (a *Auth) rules(r *reader, n node) {
	user := a.Username + a.Password + a.PasswordFile + a.Domain
	ways := named("token", a.Token, "token_file", a.TokenFile, "username", user, "access_token_file", a.AccessTokenFile+a.RefreshTokenFile)
	passwords := named("password", a.Password, "password_file", a.PasswordFile)
	switch {
	case len(ways) == 0:
		r.fail(n, "no way to log in; set token_file, or username and password_file")
	case len(ways) > 1:
		set := named("token", a.Token, "token_file", a.TokenFile, "username", a.Username, "password", a.Password,
			"password_file", a.PasswordFile, "domain", a.Domain, "access_token_file", a.AccessTokenFile, "refresh_token_file", a.RefreshTokenFile)
		r.fail(n, "%s: more than one way to log in; keep one", strings.Join(set, ", "))
	case user != "" && a.Username == "":
		r.fail(n, "%s without username; set it too", append(passwords, "domain")[0])
	case user != "" && len(passwords) == 0:
		r.fail(n, "username without a password; set password_file")
	case len(passwords) > 1:
		r.fail(n, "password and password_file: keep one")
	case (a.AccessTokenFile == "") != (a.RefreshTokenFile == ""):
		r.fail(n, "access_token_file and refresh_token_file go together; set both")
	}
}

// named gives the names whose values, each behind its name, are not empty.
func named(namesAndValues ...string) []string {
	var names []string
	for i := 0; i < len(namesAndValues); i += 2 {
		if namesAndValues[i+1] != "" {
			names = append(names, namesAndValues[i])
		}
	}
	return names
}

func (t *TLS) rules(r *reader, n node) { r.certWithKey(n, t.CertFile, t.KeyFile) }

func (t *HTTPTLS) rules(r *reader, n node) {
	r.certWithKey(n, t.CertFile, t.KeyFile)
	r.failIf(t.ClientCAFile != "" && t.CertFile == "", n,
		"client_ca_file without cert_file: clients are checked over TLS alone; set cert_file and key_file")
}

func (r *reader) certWithKey(n node, cert, key string) {
	r.failIf((cert == "") != (key == ""), n, "cert_file and key_file go together; set both or neither")
}

func (c *NATS) rules(r *reader, n node) {
	ways := named("creds_file", c.CredsFile, "nkey_file", c.NKeyFile, "user", c.User+c.PasswordFile, "token_file", c.TokenFile)
	r.failIf(len(ways) > 1, n, "%s: more than one way to log in; keep one", strings.Join(ways, ", "))
	r.failIf((c.User == "") != (c.PasswordFile == ""), n, "user and password_file go together; set both or neither")
	inside := c.UsesEmbedded()
	r.failIf(inside && c.Domain != "", r.member(n, "domain"), "the embedded server has no domain; leave it out, or name the server in nats.url")
	web, other := false, false
	for server := range strings.SplitSeq(c.URL, ",") {
		scheme, _, _ := strings.Cut(strings.TrimSpace(server), "://")
		isWeb := scheme == "ws" || scheme == "wss"
		web, other = web || isWeb, other || !isWeb
	}
	r.failIf(web && other, r.member(n, "url"), "ws:// and wss:// go with no other; name WebSockets alone, or none")
	r.failIf(web && !other && c.TLSFirst, r.member(n, "tls"), "handshake_first goes with no WebSocket: wss:// always begins with TLS; leave it out")
	r.failIf(inside && c.TLSFirst, r.member(n, "tls"), "the embedded server has no TLS; leave handshake_first out, or name the server in nats.url")
	r.failIf(inside && c.Replicas > 1, r.member(n, "replicas"), "%d: the embedded server is one server; make it 1, or name a cluster in nats.url", c.Replicas)
}
