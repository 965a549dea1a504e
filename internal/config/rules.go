package config

import "strings"

// A rule here is about several keys of one section. It is asked only where each of them is right.

// member is a key of n, on n's line if the file leaves it out.
func (r *reader) member(n node, name string) node {
	key := n.key + "." + name
	if line := r.lines[key]; line > 0 {
		return node{key: key, line: line}
	}
	return node{key: key, line: n.line}
}

func (r *reader) completeCommCell(n node, c *CommCell) {
	if c.Name == "" {
		r.fail(r.member(n, "name"), `missing; name the CommCell, as "prod"`)
	}
	if c.URL == "" {
		r.fail(r.member(n, "url"), "missing; write it like https://cs.example.com/webconsole/api")
	}
	if r.lines[n.key+".auth"] == 0 {
		r.oneWayIn(node{key: n.key + ".auth", line: n.line}, &c.Auth)
	}
	r.keptLongEnough(n, c)
}

// keptLongEnough: else the Job list would bring back a job that was forgotten.
func (r *reader) keptLongEnough(n node, c *CommCell) {
	if c.KeepFinished >= c.Discover.FinishedWithin {
		return
	}
	kept, found := short(c.KeepFinished), short(c.Discover.FinishedWithin)
	if at := r.member(n, "keep_finished"); r.lines[at.key] > 0 {
		r.fail(at, "%s: less than discover.finished_within, which is %s; make it at least that", kept, found)
		return
	}
	r.fail(r.member(n, "discover.finished_within"), "%s: more than keep_finished, which is %s; make it at most that", found, kept)
}

// oneWayIn wants exactly one way to log in, and that whole.
func (r *reader) oneWayIn(n node, a *Auth) {
	ways := named(
		"token", a.Token,
		"token_file", a.TokenFile,
		"username", a.Username+a.Password+a.PasswordFile+a.Domain,
		"access_token_file", a.AccessTokenFile+a.RefreshTokenFile,
	)
	if len(ways) == 0 {
		r.fail(n, "no way to log in; set token_file, or username and password_file")
		return
	}
	if len(ways) > 1 {
		set := named("token", a.Token, "token_file", a.TokenFile, "username", a.Username, "password", a.Password,
			"password_file", a.PasswordFile, "domain", a.Domain, "access_token_file", a.AccessTokenFile, "refresh_token_file", a.RefreshTokenFile)
		r.fail(n, "%s: more than one way to log in; keep one", strings.Join(set, ", "))
		return
	}
	switch password := named("password", a.Password, "password_file", a.PasswordFile); {
	case ways[0] == "username" && a.Username == "":
		r.fail(n, "%s without username; set it too", named("password", a.Password, "password_file", a.PasswordFile, "domain", a.Domain)[0])
	case ways[0] == "username" && len(password) == 0:
		r.fail(n, "username without a password; set password_file")
	case len(password) > 1:
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

func (r *reader) certWithKey(n node, cert, key string) {
	if (cert == "") != (key == "") {
		r.fail(n, "cert_file and key_file go together; set both or neither")
	}
}

func (r *reader) completeNATS(n node, c *NATS) {
	ways := named("creds_file", c.CredsFile, "nkey_file", c.NKeyFile, "user", c.User+c.PasswordFile, "token_file", c.TokenFile)
	if len(ways) > 1 {
		r.fail(n, "%s: more than one way to log in; keep one", strings.Join(ways, ", "))
	}
	if (c.User == "") != (c.PasswordFile == "") {
		r.fail(n, "user and password_file go together; set both or neither")
	}
	if c.UsesEmbedded() && c.Domain != "" {
		r.fail(r.member(n, "domain"), "the embedded server has no domain; leave it out, or name the server in nats.url")
	}
	switch web, other := c.schemes(); {
	case web && other:
		r.fail(r.member(n, "url"), "ws:// and wss:// go with no other; name WebSockets alone, or none")
	case web && c.TLSFirst:
		r.fail(r.member(n, "tls"), "handshake_first goes with no WebSocket: wss:// always begins with TLS; leave it out")
	case c.UsesEmbedded() && c.TLSFirst:
		r.fail(r.member(n, "tls"), "the embedded server has no TLS; leave handshake_first out, or name the server in nats.url")
	}
	if c.UsesEmbedded() && c.Replicas > 1 {
		r.fail(r.member(n, "replicas"), "%d: the embedded server is one server; make it 1, or name a cluster in nats.url", c.Replicas)
	}
}

// schemes tells whether WebSockets are named, and whether anything else is.
func (n NATS) schemes() (web, other bool) {
	for server := range strings.SplitSeq(n.URL, ",") {
		if scheme, _, _ := strings.Cut(strings.TrimSpace(server), "://"); scheme == "ws" || scheme == "wss" {
			web = true
		} else {
			other = true
		}
	}
	return web, other
}
