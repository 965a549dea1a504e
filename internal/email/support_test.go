package email

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
	"jobwatch/internal/relay"
)

// server is a real SMTP server that can be told to fail.
type server struct {
	t    *testing.T
	addr string
	tls  *tls.Config // of a client

	mu       sync.Mutex
	mechs    []string
	password string // empty: no login is asked for
	refusal  error  // the answer to MAIL FROM
	rcpt     map[string]error
	data     error // the answer to the mail
	cut      bool  // the connection, once the mail was taken
	hold     chan struct{}
	mails    []mailTaken
	tried    int // logins
	open     int
	most     int
}

type mailTaken struct {
	from string
	to   []string
	raw  []byte
	user string
	safe bool // came encrypted
}

func serve(t *testing.T, security Security, change ...func(*server)) *server {
	t.Helper()
	web := httptest.NewTLSServer(nil)
	t.Cleanup(web.Close)
	roots := x509.NewCertPool()
	roots.AddCert(web.Certificate())
	s := &server{t: t, tls: &tls.Config{RootCAs: roots}, mechs: []string{sasl.Plain}, rcpt: map[string]error{}}
	for _, c := range change {
		c(s)
	}
	real := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		return &session{server: s, conn: c}, nil
	}))
	real.Domain = "mail.test"
	real.AllowInsecureAuth = security == None
	real.ErrorLog = quiet{}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = listener.Addr().String()
	switch security {
	case StartTLS:
		real.TLSConfig = &tls.Config{Certificates: web.TLS.Certificates}
	case Implicit:
		listener = tls.NewListener(listener, &tls.Config{Certificates: web.TLS.Certificates})
	case None:
	}
	go real.Serve(listener)
	t.Cleanup(func() { real.Close() })
	return s
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}

func (s *server) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

func (s *server) taken() []mailTaken {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.mails)
}

func answer(code int, enhanced smtp.EnhancedCode, text string) error {
	return &smtp.SMTPError{Code: code, EnhancedCode: enhanced, Message: text}
}

// to is a destination that sends to the server.
func to(t *testing.T, s *server, change ...func(*Config)) *Email {
	t.Helper()
	c := Config{
		Relay: "ops", Server: s.addr, Security: StartTLS, TLS: s.tls, Timeout: time.Minute, Version: "1.2.3",
		From: "Backup <jobwatch@example.com>", To: []string{"ops@example.com"},
	}
	for _, f := range change {
		f(&c)
	}
	e, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	e.now = func() time.Time { return time.Date(2026, 11, 30, 6, 0, 0, 0, time.UTC) }
	return e
}

func with(security Security) func(*Config) { return func(c *Config) { c.Security = security } }

func login(user, password string) func(*Config) {
	return func(c *Config) {
		c.Username, c.Password = user, func() (string, error) { return password, nil }
	}
}

// deliver delivers, and gives the refusal, or nil.
func deliver(t *testing.T, e *Email, b relay.Batch) (int, *relay.Refusal) {
	t.Helper()
	done, err := e.Deliver(context.Background(), b)
	if err == nil {
		return done, nil
	}
	refusal, ok := errors.AsType[*relay.Refusal](err)
	if !ok {
		t.Fatalf("not a refusal: %v", err)
	}
	return done, refusal
}

var asked = time.Date(2026, 11, 30, 5, 0, 0, 0, time.UTC)

// an event about a job; its id is the one given.
func about(t testing.TB, id string, s job.Snapshot, c job.Change) *relay.Event {
	t.Helper()
	s.CommCell, s.Number = cmp(s.CommCell, "prod"), max(s.Number, 1248)
	s.Settle()
	made, err := event.NewMinter(nil).Job(1, c, job.Observation{Snapshot: s, Answered: asked.Add(30 * time.Second)}, asked)
	if err != nil {
		t.Fatal(err)
	}
	return relayed(t, id, made)
}

func relayed(t testing.TB, id string, made event.Event) *relay.Event {
	t.Helper()
	made.ID = id
	data, err := json.Marshal(made)
	if err != nil {
		t.Fatal(err)
	}
	of, err := made.JobID()
	if err != nil {
		t.Fatal(err)
	}
	return &relay.Event{ID: id, Job: of, Data: data}
}

func cmp(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

func state(id string, from, to job.Text) func(testing.TB) *relay.Event {
	return func(t testing.TB) *relay.Event {
		return about(t, id, job.Snapshot{State: to, Client: "fall", Subclient: "nightly"},
			job.Change{Kind: job.KindState, Detail: job.Slug(to), From: from, To: to})
	}
}

func batch(t testing.TB, events ...func(testing.TB) *relay.Event) relay.Batch {
	var b relay.Batch
	for _, make := range events {
		b.Events = append(b.Events, make(t))
	}
	return b
}
