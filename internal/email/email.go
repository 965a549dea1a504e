// Package email sends events by mail: what waits of one job is one mail, and a job's mails are one thread.
package email

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	netmail "net/mail"
	"slices"
	"strconv"
	"strings"
	"time"

	"jobwatch/internal/relay"
)

// Config says where mails go, and how. Server, From, To and Relay are needed.
type Config struct {
	Relay    string // the relay's name
	Server   string // host:port
	Security Security
	TLS      *tls.Config // nil: the system's certificates
	Username string      // empty: no login
	Password func() (string, error)
	From     string // an address, or Name <address>
	To       []string
	Timeout  time.Duration // of one mail; 0: 15s
	Version  string        // of jobwatch
	Log      *slog.Logger  // nil: none
}

// Security says how the connection to the mail server is encrypted.
type Security string

const (
	StartTLS Security = "starttls" // after the greeting, or not at all
	Implicit Security = "implicit" // from the first byte on
	None     Security = "none"
)

const (
	defaultTimeout = 15 * time.Second
	connections    = 3   // at once: Exchange Online bears no more
	mostEvents     = 100 // in one mail
)

// Email is a destination that sends mails.
type Email struct {
	Config
	host  string
	from  *netmail.Address
	to    []*netmail.Address
	slots chan struct{}
	known recipients
	now   func() time.Time
}

// New checks the configuration. It asks no server.
func New(c Config) (*Email, error) {
	e := &Email{Config: c, slots: make(chan struct{}, connections), now: time.Now}
	if e.Timeout == 0 {
		e.Timeout = defaultTimeout
	}
	if e.Log == nil {
		e.Log = slog.New(slog.DiscardHandler)
	}
	if !slices.Contains([]Security{StartTLS, Implicit, None}, c.Security) {
		return nil, fmt.Errorf("tls: %q: must be starttls, implicit or none", c.Security)
	}
	if c.Username != "" && c.Password == nil {
		return nil, errors.New("username: there is no password_file")
	}
	if err := errors.Join(e.readServer(), e.readAddresses()); err != nil {
		return nil, err
	}
	return e, nil
}

func (e *Email) readServer() error {
	host, port, err := net.SplitHostPort(e.Server)
	number, numberErr := strconv.ParseUint(port, 10, 16)
	if err != nil || host == "" || numberErr != nil || number == 0 || strings.ContainsFunc(host, isUnfit) {
		return fmt.Errorf("server: %q: must be host:port, as in mail.example.com:587", e.Server)
	}
	e.host = host
	return nil
}

func (e *Email) readAddresses() error {
	if len(e.To) == 0 {
		return errors.New("to: names nobody")
	}
	var err error
	if e.from, err = readAddress(e.From); err != nil {
		return fmt.Errorf("from: %w", err)
	}
	for i, text := range e.To {
		address, err := readAddress(text)
		if err != nil {
			return fmt.Errorf("to[%d]: %w", i, err)
		}
		e.to = append(e.to, address)
	}
	return nil
}

func readAddress(text string) (*netmail.Address, error) {
	address, err := netmail.ParseAddress(text)
	if err != nil || strings.ContainsFunc(text, isUnfit) {
		return nil, fmt.Errorf("%q: must be a mail address, as in ops@example.com or Backup <ops@example.com>", text)
	}
	return address, nil
}

// Deliver sends what waits of a job as one mail, or what happened to a group's jobs as one.
func (e *Email) Deliver(ctx context.Context, b relay.Batch) (int, error) {
	if b.Group != "" {
		return e.send(ctx, groupLetter(e.Relay, b), len(b.Events))
	}
	done := 0
	for events := range slices.Chunk(b.Events, mostEvents) {
		readable, letter, unfit := jobLetter(e.Relay, events)
		if readable > 0 {
			sent, err := e.send(ctx, letter, readable)
			if done += sent; err != nil {
				return done, err
			}
		}
		if unfit != nil {
			return done, unfit
		}
	}
	return done, nil
}

// Preview is the mail that Deliver would send now, as a reader of plain text gets it.
func (e *Email) Preview(b relay.Batch) (string, error) {
	letter := groupLetter(e.Relay, b)
	if b.Group == "" {
		var readable int
		var unfit error
		if readable, letter, unfit = jobLetter(e.Relay, b.Events[:min(len(b.Events), mostEvents)]); readable == 0 {
			return "", unfit
		}
	}
	message := e.message(letter)
	var text strings.Builder
	for _, name := range []string{"From", "To"} {
		fmt.Fprintf(&text, "%s: %s\n", name, strings.Join(message.GetAddrHeaderString(addressHeaders[name]), ", "))
	}
	fmt.Fprintf(&text, "Subject: %s\nMessage-ID: <%s>\n\n%s", letter.subject, e.id(letter), letter.plain())
	return text.String(), nil
}

// Check goes as far as the login, and sends no mail.
func (e *Email) Check(ctx context.Context) error {
	line, err := e.dial(ctx)
	if err != nil {
		return err
	}
	line.quit()
	return nil
}

// send is done with so many events once the mail is taken.
func (e *Email) send(ctx context.Context, l letter, events int) (int, error) {
	select {
	case e.slots <- struct{}{}:
	case <-ctx.Done():
		return 0, e.refusal(relay.Away, 0, "answers too slowly: its other mails were still under way")
	}
	defer func() { <-e.slots }()

	line, err := e.dial(ctx)
	if err != nil {
		return 0, err
	}
	if err := line.transfer(e.message(l)); err != nil {
		line.end()
		return 0, err
	}
	line.quit()
	return events, nil
}
