package email

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"

	"jobwatch/internal/relay"
)

// line is a connection to the mail server on which the login is done.
type line struct {
	*Email
	*smtp.Client
	ctx    context.Context
	secret string
	end    func() // closes it
}

// dial connects, encrypts and logs in. Whatever of that fails has to do with no event.
func (e *Email) dial(ctx context.Context) (*line, error) {
	ctx, cancel := context.WithTimeout(ctx, e.Timeout)
	l := &line{Email: e, ctx: ctx, end: cancel}
	if err := l.readPassword(); err != nil {
		l.end()
		return nil, err
	}
	if err := l.begin(); err != nil {
		refusal := l.refuse(relay.Away, err)
		l.end()
		return nil, refusal
	}
	return l, nil
}

// readPassword is asked for each mail, so that a new one counts at once.
func (l *line) readPassword() (err error) {
	if l.Username == "" {
		return nil
	}
	if l.secret, err = l.Password(); err != nil {
		return &relay.Refusal{Kind: relay.Away, Reason: "password_file: " + forReason(err.Error())}
	}
	return nil
}

func (l *line) begin() error {
	conn, err := l.connect()
	if err != nil {
		return err
	}
	if l.Client, err = smtp.NewClient(conn, l.host); err != nil {
		return err
	}
	name, err := os.Hostname()
	if err != nil {
		return err
	}
	if err := l.Hello(name); err != nil {
		return err
	}
	if l.Security == StartTLS {
		if err := l.encrypt(); err != nil {
			return err
		}
	}
	return l.login()
}

// connect makes the connection end with the line's time, whatever is under way on it.
func (l *line) connect() (net.Conn, error) {
	dialled, err := new(net.Dialer).DialContext(l.ctx, "tcp", l.Server)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(l.ctx, func() { dialled.Close() })
	conn := &bounded{dialled, mostSaid}
	if l.Security != Implicit {
		return conn, nil
	}
	encrypted := tls.Client(conn, l.config())
	return encrypted, encrypted.HandshakeContext(l.ctx)
}

func (l *line) encrypt() error {
	if offered, _ := l.Extension("STARTTLS"); !offered {
		return errors.New("offers no STARTTLS; set tls: implicit, if that is the port for it")
	}
	return l.StartTLS(l.config())
}

func (l *line) config() *tls.Config {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if l.TLS != nil {
		config = l.TLS.Clone()
	}
	if config.ServerName == "" {
		config.ServerName = l.host
	}
	return config
}

const mostSaid = 1 << 20 // bytes that a server says of one mail, many times what it takes

// bounded is a connection on which no more is read: the library reads lines of any length, and any number of them.
type bounded struct {
	net.Conn
	left int
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, fmt.Errorf("it says more than %d MiB; is it a mail server?", mostSaid>>20)
	}
	n, err := b.Conn.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// quit says goodbye, which needs no answer: all that counts was acknowledged before.
func (l *line) quit() {
	_, _ = l.Text.Cmd("QUIT")
	l.end()
}

// transfer hands over one mail.
func (l *line) transfer(m *mail.Msg) error {
	from, err := m.GetSender(false)
	if err != nil {
		return l.refuse(relay.Unfit, err)
	}
	if err := l.Mail(from); err != nil {
		return l.mended(l.refuse(relay.Away, err), "from: "+from+" was refused")
	}
	if err := l.nameRecipients(m); err != nil {
		return err
	}
	w, err := l.Data()
	if err != nil {
		return l.refuse(relay.Uncertain, err)
	}
	if _, err := m.WriteTo(w); err != nil {
		return l.refuse(relay.Uncertain, err)
	}
	if err := w.Close(); err != nil {
		return l.refuse(verdict(err), err)
	}
	return nil
}
