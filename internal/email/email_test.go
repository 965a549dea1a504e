package email

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	netmail "net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"jobwatch/internal/relay"
)

func TestAMailArrives(t *testing.T) {
	password := func(s *server) { s.password = "geheim" }
	for _, row := range []struct {
		name     string
		security Security
		server   []func(*server)
		config   []func(*Config)
		safe     bool
	}{
		{"starttls and login", StartTLS, []func(*server){password}, []func(*Config){login("jobwatch", "geheim")}, true},
		{"implicit and login", Implicit, []func(*server){password}, []func(*Config){login("jobwatch", "geheim"), with(Implicit)}, true},
		{"LOGIN alone", Implicit, []func(*server){password, func(s *server) { s.mechs = []string{sasl.Login} }},
			[]func(*Config){login("jobwatch", "geheim"), with(Implicit)}, true},
		{"CRAM-MD5 alone", StartTLS, []func(*server){password, func(s *server) { s.mechs = []string{cramMD5} }}, []func(*Config){login("jobwatch", "geheim")}, true},
		{"starttls", StartTLS, nil, nil, true},
		{"none", None, nil, []func(*Config){with(None)}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := serve(t, row.security, row.server...)
			e := to(t, s, row.config...)
			if err := e.Check(context.Background()); err != nil {
				t.Fatalf("check: %v", err)
			}
			if n := len(s.taken()); n != 0 {
				t.Fatalf("check sent %d mails", n)
			}
			if done, err := deliver(t, e, batch(t, state("e-1", "Running", "Failed"))); done != 1 || err != nil {
				t.Fatalf("%d delivered, %v", done, err)
			}
			mails := s.taken()
			if len(mails) != 1 || mails[0].from != "jobwatch@example.com" || mails[0].to[0] != "ops@example.com" || mails[0].safe != row.safe {
				t.Errorf("the server has %+v", mails)
			}
		})
	}
}

func TestWhatAnAnswerMeans(t *testing.T) {
	gone := func() string { // a port that nobody listens on
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		return l.Addr().String()
	}()
	none := smtp.EnhancedCode{}
	for _, row := range []struct {
		name   string
		server func(*server)
		config func(*Config)
		kind   relay.Kind
		status int
		reason string
	}{
		{name: "nobody listens", config: func(c *Config) { c.Server = gone }, kind: relay.Away, reason: "connection refused"},
		{name: "a foreign certificate", config: func(c *Config) { c.TLS = nil }, kind: relay.Away, reason: "certificate"},
		{name: "no TLS there", config: func(c *Config) { c.Security = Implicit }, kind: relay.Away, reason: "tls: "},
		{name: "wrong password", server: func(s *server) { s.password = "geheim" }, config: login("jobwatch", "falsch"),
			kind: relay.Away, status: 535, reason: `login as "jobwatch" refused: 535 5.7.8 no: …; is password_file right?`},
		{name: "no password", config: func(c *Config) {
			c.Username, c.Password = "u", func() (string, error) { return "", errors.New("open /run/secret: no") }
		},
			kind: relay.Away, reason: "password_file: open /run/secret: no"},
		{name: "no login is offered", config: login("u", "p"), kind: relay.Away, reason: "offers no login that jobwatch knows"},
		{name: "no login that is known", server: func(s *server) { s.password, s.mechs = "geheim", []string{"XOAUTH2"} },
			config: login("u", "geheim"), kind: relay.Away, reason: "offers no login that jobwatch knows"},
		{name: "sender refused", server: func(s *server) { s.refusal = answer(550, smtp.EnhancedCode{5, 7, 1}, "not yours") },
			kind: relay.Away, status: 550, reason: "from: <jobwatch@example.com> was refused"},
		{name: "too many connections", server: func(s *server) { s.refusal = answer(421, none, "later") }, kind: relay.Away, status: 421, reason: "later"},
		{name: "nobody known", server: func(s *server) { s.rcpt["ops@example.com"] = answer(550, smtp.EnhancedCode{5, 1, 1}, "unknown") },
			kind: relay.Away, status: 550, reason: "none of the 1 addresses of to was taken"},
		{name: "greylisted", server: func(s *server) { s.rcpt["ops@example.com"] = answer(450, smtp.EnhancedCode{4, 7, 1}, "greylisted") },
			kind: relay.Away, status: 450, reason: "greylisted"},
		{name: "too large", server: func(s *server) { s.data = answer(552, smtp.EnhancedCode{5, 3, 4}, "too large") }, kind: relay.Unfit, status: 552, reason: "too large"},
		{name: "content", server: func(s *server) { s.data = answer(554, smtp.EnhancedCode{5, 6, 0}, "content") }, kind: relay.Unfit, status: 554, reason: "content"},
		{name: "too large, in old words", server: func(s *server) { s.data = answer(552, smtp.NoEnhancedCode, "too large") }, kind: relay.Unfit, status: 552, reason: "too large"},
		{name: "may not send", server: func(s *server) { s.data = answer(554, smtp.EnhancedCode{5, 2, 252}, "SendAsDenied") }, kind: relay.Uncertain, status: 554, reason: "SendAsDenied"},
		{name: "quota", server: func(s *server) { s.data = answer(550, smtp.EnhancedCode{5, 4, 5}, "quota") }, kind: relay.Uncertain, status: 550, reason: "quota"},
		{name: "no room", server: func(s *server) { s.data = answer(452, smtp.EnhancedCode{4, 3, 1}, "no room") }, kind: relay.Uncertain, status: 452, reason: "no room"},
		{name: "cut once taken", server: func(s *server) { s.cut = true }, kind: relay.Uncertain, reason: "EOF"},
	} {
		t.Run(row.name, func(t *testing.T) {
			var changes []func(*server)
			if row.server != nil {
				changes = append(changes, row.server)
			}
			s := serve(t, StartTLS, changes...)
			var config []func(*Config)
			if row.config != nil {
				config = append(config, row.config)
			}
			done, refusal := deliver(t, to(t, s, config...), batch(t, state("e-1", "Running", "Failed")))
			if done != 0 || refusal == nil {
				t.Fatalf("%d delivered, refusal %v", done, refusal)
			}
			if refusal.Kind != row.kind || refusal.Status != row.status || !strings.Contains(refusal.Reason, row.reason) {
				t.Errorf("got kind %d, status %d, %q; want kind %d, status %d, a reason with %q",
					refusal.Kind, refusal.Status, refusal.Reason, row.kind, row.status, row.reason)
			}
			for _, secret := range []string{"geheim", "falsch", "ZmFsc2No"} {
				if strings.Contains(refusal.Reason, secret) {
					t.Errorf("a password in %q", refusal.Reason)
				}
			}
		})
	}
}

func TestTheAnswerThatNeverComes(t *testing.T) {
	hold := make(chan struct{})
	s := serve(t, StartTLS, func(s *server) { s.hold = hold })
	defer close(hold)
	done, refusal := deliver(t, to(t, s, func(c *Config) { c.Timeout = 300 * time.Millisecond }), batch(t, state("e-1", "", "Running")))
	if done != 0 || refusal == nil || refusal.Kind != relay.Uncertain && refusal.Kind != relay.Away || !strings.Contains(refusal.Reason, "no answer within 300ms") {
		t.Errorf("%d delivered, %+v", done, refusal)
	}
}

// It failed, but it has happened: the second mail is the first one once more, for whoever looks at Message-IDs.
func TestARepeatHasTheSameID(t *testing.T) {
	s := serve(t, StartTLS, func(s *server) { s.cut = true })
	e, b := to(t, s), batch(t, state("e-1", "Running", "Failed"))
	if _, refusal := deliver(t, e, b); refusal == nil {
		t.Fatal("the cut was not noticed")
	}
	s.set(func() { s.cut = false })
	restarted := to(t, s)
	restarted.now = func() time.Time { return e.now().Add(time.Hour) }
	if _, refusal := deliver(t, restarted, b); refusal != nil {
		t.Fatal(refusal)
	}
	mails := s.taken()
	if len(mails) != 2 || header(t, mails[0], "Message-ID") != header(t, mails[1], "Message-ID") {
		t.Errorf("%d mails: %q", len(mails), fmt.Sprint(mails))
	}
}

func TestANewPasswordCountsAtOnce(t *testing.T) {
	s := serve(t, StartTLS, func(s *server) { s.password = "new" })
	password := "old"
	e := to(t, s, func(c *Config) { c.Username, c.Password = "u", func() (string, error) { return password, nil } })
	if _, refusal := deliver(t, e, batch(t, state("e-1", "", "Running"))); refusal == nil {
		t.Fatal("the old password was taken")
	}
	password = "new"
	if _, refusal := deliver(t, e, batch(t, state("e-1", "", "Running"))); refusal != nil {
		t.Fatal(refusal)
	}
}

func TestThePasswordIsNotSentUnencrypted(t *testing.T) {
	s := serve(t, None, func(s *server) { s.password = "geheim" })
	e := to(t, s, with(None), login("u", "geheim"))
	e.host = "mail.example.com" // this machine is trusted
	done, refusal := deliver(t, e, batch(t, state("e-1", "", "Running")))
	if done != 0 || refusal == nil || !strings.Contains(refusal.Reason, "set tls: starttls") || s.tried != 0 {
		t.Errorf("%d delivered, %v, %d logins", done, refusal, s.tried)
	}
}

func TestNothingIsSentUnencryptedUnlessConfigured(t *testing.T) {
	s := serve(t, None)
	done, refusal := deliver(t, to(t, s), batch(t, state("e-1", "", "Running")))
	if done != 0 || refusal == nil || !strings.Contains(refusal.Reason, "offers no STARTTLS") || len(s.taken()) != 0 {
		t.Errorf("%d delivered, %v, %d mails", done, refusal, len(s.taken()))
	}
}

func TestSomeRecipients(t *testing.T) {
	unknown, full := answer(550, smtp.EnhancedCode{5, 1, 1}, "unknown"), answer(452, smtp.EnhancedCode{4, 2, 2}, "full")
	three := func(c *Config) { c.To = []string{"a@example.com", "b@example.com", "c@example.com"} }
	b := batch(t, state("e-1", "Running", "Failed"))

	t.Run("one is unknown: the others get it, and it is said once", func(t *testing.T) {
		s := serve(t, StartTLS, func(s *server) { s.rcpt["b@example.com"] = unknown })
		var log bytes.Buffer
		e := to(t, s, three, func(c *Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
		for range 2 {
			if done, refusal := deliver(t, e, b); done != 1 || refusal != nil {
				t.Fatalf("%d delivered, %v", done, refusal)
			}
		}
		if got := strings.Join(s.taken()[0].to, " "); got != "a@example.com c@example.com" {
			t.Errorf("sent to %s", got)
		}
		if n := strings.Count(log.String(), "b@example.com"); n != 1 {
			t.Errorf("said %d times: %s", n, log.String())
		}
	})
	t.Run("one is full: all wait for him, but not for ever", func(t *testing.T) {
		s := serve(t, StartTLS, func(s *server) { s.rcpt["b@example.com"] = full })
		e := to(t, s, three)
		if done, refusal := deliver(t, e, b); done != 0 || refusal.Kind != relay.Uncertain || len(s.taken()) != 0 {
			t.Fatalf("%d delivered, %v, %d mails", done, refusal, len(s.taken()))
		}
		later := e.now().Add(patience)
		e.now = func() time.Time { return later }
		if done, refusal := deliver(t, e, b); done != 1 || refusal != nil {
			t.Fatalf("%d delivered, %v", done, refusal)
		}
	})
}

func TestMoreThanOneMailHoldsIsSeveral(t *testing.T) {
	s := serve(t, StartTLS)
	var b relay.Batch
	for range mostEvents + 1 {
		b.Events = append(b.Events, state("e-1", "", "Running")(t))
	}
	if done, refusal := deliver(t, to(t, s), b); done != mostEvents+1 || refusal != nil || len(s.taken()) != 2 {
		t.Errorf("%d delivered, %v, %d mails", done, refusal, len(s.taken()))
	}
}

func TestAnEventThatCannotBeRead(t *testing.T) {
	s := serve(t, StartTLS)
	foreign := func(testing.TB) *relay.Event { return &relay.Event{ID: "x", Data: []byte(`{"a":1}`)} }
	b := batch(t, state("e-1", "", "Running"), foreign, state("e-3", "Running", "Failed"))
	done, refusal := deliver(t, to(t, s), b)
	if done != 1 || refusal == nil || refusal.Kind != relay.Unfit || len(s.taken()) != 1 {
		t.Errorf("%d delivered, %v, %d mails", done, refusal, len(s.taken()))
	}
}

func TestThreeConnectionsAtMost(t *testing.T) {
	hold := make(chan struct{})
	s := serve(t, StartTLS, func(s *server) { s.hold = hold })
	e := to(t, s)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, err := e.Deliver(context.Background(), batch(t, state("e-1", "", "Running"))); err != nil {
				t.Error(err)
			}
		})
	}
	for range 8 {
		hold <- struct{}{}
	}
	all.Wait()
	if s.most > connections {
		t.Errorf("%d at once", s.most)
	}
}

func TestAServerByItsAddress(t *testing.T) {
	e := to(t, &server{addr: "[::1]:1"}) // nobody listens there, if there is IPv6 at all
	if err := e.Check(context.Background()); err == nil || !strings.Contains(err.Error(), "dial tcp [::1]:1: ") {
		t.Error(err)
	}
}

func TestConfig(t *testing.T) {
	for want, change := range map[string]func(*Config){
		`server: "mail.example.com": must be host:port`: func(c *Config) { c.Server = "mail.example.com" },
		`server: "mail:0"`:                               func(c *Config) { c.Server = "mail:0" },
		`from: "jobwatch": must be a mail address`:       func(c *Config) { c.From = "jobwatch" },
		`to: names nobody`:                               func(c *Config) { c.To = nil },
		`to[1]: "b@example.com\r\nBcc: c@example.com": `: func(c *Config) { c.To = []string{"a@example.com", "b@example.com\r\nBcc: c@example.com"} },
		`tls: "ssl": must be starttls, implicit or none`: func(c *Config) { c.Security = "ssl" },
		`username: there is no password_file`:            func(c *Config) { c.Username = "u" },
	} {
		c := Config{Relay: "ops", Server: "mail.example.com:587", Security: StartTLS, From: "a@example.com", To: []string{"b@example.com"}}
		change(&c)
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func header(t *testing.T, m mailTaken, name string) string {
	t.Helper()
	read, err := netmail.ReadMessage(bytes.NewReader(m.raw))
	if err != nil {
		t.Fatal(err)
	}
	return read.Header.Get(name)
}
