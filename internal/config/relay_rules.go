package config

import (
	"errors"
	"fmt"
	"net/mail"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// classes are those of a job's states (internal/job).
var classes = []string{"queued", "active", "held", "succeeded", "partial", "failed", "killed", "unknown"}

// Each check here is about one text of a relay.

func notEmpty(s string) error {
	if s == "" {
		return errors.New("wants a value; leave it out otherwise")
	}
	return nil
}

// filterOfSubjects refuses what NATS would, and what no event could ever match.
func filterOfSubjects(s string) error {
	tokens := strings.Split(s, ".")
	length := map[string]int{"jobs": 6, "commcells": 3}[tokens[0]]
	if length == 0 || len(tokens) < 2 {
		return errors.New(`wants jobs. or commcells. in front, and no nats.subject_prefix; write it like "jobs.>" or "jobs.*.*.*.failure.>"`)
	}
	open := false
	for i, token := range tokens {
		switch {
		case token == "":
			return errors.New("has nothing between two dots, or at its end")
		case strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r == 0x7f }):
			return errors.New("has a space in it; a subject has %20 there, and a * stands for any word")
		case token == ">" && i < len(tokens)-1:
			return errors.New("has more behind the >, which stands for all the rest; write * for one word")
		case len(token) > 1 && strings.ContainsAny(token, "*>"):
			return errors.New("wants * and > as whole words between the dots; match: has patterns for parts of a name")
		}
		open = open || token == ">"
	}
	if len(tokens) > length || len(tokens) < length && !open {
		return fmt.Errorf("no event has such a subject: they have %d words (docs/subjects-and-events.md); write > for all the rest", length)
	}
	return nil
}

// within tells whether all that filter matches is matched by wider.
func within(filter, wider string) bool {
	narrow, wide := strings.Split(filter, "."), strings.Split(wider, ".")
	for i, token := range wide {
		switch {
		case i >= len(narrow):
			return false
		case token == ">":
			return true
		case token == "*" && narrow[i] != ">":
		case token != narrow[i]:
			return false
		}
	}
	return len(narrow) == len(wide)
}

var (
	channelID  = regexp.MustCompile(`^[CGD][A-Z0-9]{7,}$`)
	places     = regexp.MustCompile(`\{[^{}]*\}`)
	headerForm = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")
)

func channel(s string) error {
	if s != "" && !channelID.MatchString(s) {
		return errors.New("wants the channel's id, not its name; it stands at the end of the channel's details in Slack, like C0123456789")
	}
	return nil
}

// linkURL takes a URL in which places are to be filled.
func linkURL(s string) error {
	for _, place := range places.FindAllString(s, -1) {
		if place != "{id}" && place != "{commcell}" {
			return fmt.Errorf("knows no %s; what is filled in is {id} and {commcell}", place)
		}
	}
	filled := places.ReplaceAllString(s, "1")
	if u, err := url.Parse(filled); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || strings.ContainsAny(filled, "{}<>|\" \t\r\n") {
		return errors.New("wants http:// or https:// in front, and a host; write it like https://cs.example.com/commandcenter/#/jobs/{id}")
	}
	return nil
}

// destinationURL never repeats what url.Parse says, which quotes a password out of a broken URL.
func destinationURL(s string) error {
	u, err := url.Parse(s)
	switch {
	case s == "":
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || !portInRange(u.Port()):
		return errors.New("wants https:// in front, and a host; write it like https://hooks.example.com/backup")
	case u.User != nil:
		return errors.New("wants no user in it; set headers: {Authorization: {value_file: …}}")
	case strings.Contains(s, "#"):
		return errors.New("wants no # in it: what is behind it would never be sent")
	}
	return nil
}

// reserved are headers that jobwatch or HTTP itself sets.
var reserved = strings.Fields("connection content-encoding content-length content-type expect host keep-alive proxy-connection te trailer " +
	"transfer-encoding upgrade user-agent webhook-id webhook-signature webhook-timestamp")

func headerName(s string) error {
	lower := strings.ToLower(s)
	switch {
	case !headerForm.MatchString(s):
		return errors.New("no name of a header; write it like X-Api-Key")
	case slices.Contains(reserved, lower), strings.HasPrefix(lower, "jobwatch-"):
		return errors.New("is set by jobwatch itself; take it out")
	}
	return nil
}

func address(s string) error {
	if _, err := mail.ParseAddress(s); s != "" && err != nil {
		return errors.New(`no address; write it like backup@example.com or "Backup <backup@example.com>"`)
	}
	return nil
}

func serverAddress(s string) error {
	if s != "" && (hostPort(s) != nil || strings.HasPrefix(s, ":")) {
		return errors.New("wants host:port; write it like mail.example.com:587")
	}
	return nil
}

// Each rule here is about several keys of one section.

func (c *Relay) rules(r *reader, n node) {
	r.failIf(c.Name == "", r.member(n, "name"), `missing; name the relay, as "ops"`)
	var set []string
	for _, name := range []string{"slack", "webhook", "email", "audit"} {
		if r.lines[n.key+"."+name] > 0 {
			set = append(set, name)
		}
	}
	r.failIf(len(set) == 0, n, "no destination; set one of slack, webhook, email, audit")
	r.failIf(len(set) > 1, n, "%s: more than one destination; give each a relay of its own", strings.Join(set, ", "))
	subjects := r.member(n, "subjects")
	r.failIf(len(c.Subjects) == 0, subjects, "empty: no event would do; name a filter, or leave the key out for all events")
	for i, filter := range c.Subjects {
		for j, other := range c.Subjects {
			switch {
			case filter == other && i > j:
				r.fail(subjects, "%q stands there twice; keep one", filter)
			case filter != other && within(filter, other):
				r.fail(subjects, "%q is within %q, which NATS refuses; take it out", filter, other)
			}
		}
	}
	if c.Audit != nil && c.Audit.Dir == "" {
		c.Audit.Dir = r.beside("data/audit/" + c.Name)
	}
	if c.Audit != nil && c.Audit.KeyFile == "" {
		c.Audit.KeyFile = c.Audit.Dir + ".key"
	}
}

func (s *Slack) rules(r *reader, n node) {
	incoming := s.WebhookURLFile != ""
	switch {
	case incoming && s.TokenFile != "":
		r.fail(n, "token_file, webhook_url_file: more than one way to post; keep one")
	case incoming && s.Channel != "":
		r.fail(r.member(n, "channel"), "goes with token_file: an incoming webhook has its own channel; take it out")
	case incoming && s.Group != nil:
		r.fail(r.member(n, "group"), "goes with token_file: an incoming webhook takes one message an event; take it out")
	case incoming:
	case s.TokenFile == "" && s.Channel == "":
		r.fail(n, "no way to post; set token_file and channel, or webhook_url_file")
	case s.TokenFile == "":
		r.fail(n, "channel without token_file; set it to the file that holds the bot token (xoxb-…)")
	case s.Channel == "":
		r.fail(n, "token_file without channel; set it to the channel's id, like C0123456789")
	}
}

func (g *Group) rules(*reader, node) {}

func (w *Webhook) rules(r *reader, n node) {
	r.failIf(w.URL == "" && w.URLFile == "", n, "no address; set url, or url_file where it holds a secret")
	r.failIf(w.URL != "" && w.URLFile != "", n, "url, url_file: more than one address; keep one")
	r.failIf(!w.AllowHTTP && strings.HasPrefix(strings.ToLower(w.URL), "http://"), r.member(n, "url"),
		"wants https://: over http:// everybody on the way can read and change it; set allow_http: true if that is meant")
}

func (e *Email) rules(r *reader, n node) {
	r.failIf(e.Server == "", r.member(n, "server"), "missing; write it like mail.example.com:587")
	r.failIf(e.From == "", r.member(n, "from"), "missing; write it like backup@example.com")
	r.failIf(len(e.To) == 0, r.member(n, "to"), "missing; write it like [ops@example.com]")
	r.failIf((e.Username == "") != (e.PasswordFile == ""), n, "username and password_file go together; set both or neither")
}

func (a *Audit) rules(*reader, node) {}
