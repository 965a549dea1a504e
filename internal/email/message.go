package email

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/wneessen/go-mail"

	"jobwatch/internal/job"
)

var addressHeaders = map[string]mail.AddrHeader{"From": mail.HeaderFrom, "To": mail.HeaderTo}

// message makes a mail of a letter.
func (e *Email) message(l letter) *mail.Msg {
	m := mail.NewMsg(mail.WithNoDefaultUserAgent())
	m.FromMailAddress(e.from)
	m.ToMailAddress(e.to...)
	m.Subject(l.subject)
	m.SetDateWithValue(e.now())
	m.SetMessageIDWithValue(e.id(l))
	if l.thread != "" {
		root := "<" + e.named("thread", l.thread) + ">"
		m.SetGenHeader(mail.HeaderInReplyTo, root)
		m.SetGenHeader(mail.HeaderReferences, root)
	}
	if l.severity == job.Error {
		m.SetGenHeader("Importance", "high")
		m.SetGenHeader("X-Priority", "1")
	}
	for name, value := range map[mail.Header]string{
		"Auto-Submitted":           "auto-generated", // no answer by a machine (RFC 3834)
		"X-Auto-Response-Suppress": "All",            // nor by Exchange
		"List-Id":                  fmt.Sprintf("<%s.jobwatch.%s>", e.Relay, e.domain()),
		mail.HeaderXMailer:         strings.TrimSuffix("jobwatch/"+e.Version, "/"),
		"X-Jobwatch-Relay":         e.Relay,
		"X-Jobwatch-Severity":      string(l.severity),
		"X-Jobwatch-About":         l.about,
	} {
		m.SetGenHeader(name, value)
	}
	if l.replayed {
		m.SetGenHeader("X-Jobwatch-Replayed", "true")
	}
	m.SetBodyString(mail.TypeTextPlain, l.plain())
	m.AddAlternativeString(mail.TypeTextHTML, l.html())
	return m
}

// id is the same for all mails that tell the same up to the same event, so that a mail server or reader that knows one
// may drop the other. One event more is another mail.
func (e *Email) id(l letter) string {
	if l.thread == "" {
		return e.named("group", l.last)
	}
	return e.named("event", l.last)
}

// named makes a Message-ID that nothing but the relay and the words can have. The one of a thread is in no mail of its own.
func (e *Email) named(words ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(append([]string{e.Relay}, words...), "\x00")))
	return words[0] + "." + hex.EncodeToString(sum[:12]) + "@" + e.domain()
}

// domain is that of the sender, in ASCII.
func (e *Email) domain() string {
	_, domain, _ := strings.Cut(e.from.Address, "@")
	for _, r := range domain {
		if r > '~' || r <= ' ' || strings.ContainsRune("<>[]()\\\",;:@", r) {
			return "jobwatch.invalid"
		}
	}
	return domain
}
