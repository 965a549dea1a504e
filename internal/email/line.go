package email

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"

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
	options, err := l.options()
	if err != nil {
		cancel()
		return nil, err
	}
	client, err := mail.NewClient(e.host, options...)
	if err == nil {
		l.Client, err = client.DialToSMTPClientWithContext(ctx)
	}
	if err != nil {
		refusal := l.refuse(relay.Away, err)
		l.end()
		return nil, refusal
	}
	return l, nil
}

func (l *line) options() ([]mail.Option, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if l.TLS != nil {
		config = l.TLS.Clone()
	}
	if config.ServerName == "" {
		config.ServerName = l.host
	}
	// go-mail's own limit is out of the way: the context, which ends all, knows better why
	options := []mail.Option{
		mail.WithPort(l.port), mail.WithTimeout(2 * l.Timeout), mail.WithTLSConfig(config), mail.WithTLSPolicy(mail.TLSMandatory),
		mail.WithDialContextFunc(l.connect(config)),
	}
	switch l.Security {
	case Implicit:
		options = append(options, mail.WithSSL())
	case None:
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
	case StartTLS:
	default:
	}
	if l.Username == "" {
		return options, nil
	}
	password, err := l.Password() // read for each mail, so that a new one counts at once
	if err != nil {
		return nil, &relay.Refusal{Kind: relay.Away, Reason: "password_file: " + forReason(err.Error())}
	}
	l.secret = password
	return append(options, mail.WithUsername(l.Username), mail.WithPassword(password),
		mail.WithOpportunisticSMTPAuth(mail.SMTPAuthSCRAMSHA256, mail.SMTPAuthPlain, mail.SMTPAuthLogin, mail.SMTPAuthCramMD5)), nil
}

// connect makes the connection end with the line's time, whatever is under way on it.
func (l *line) connect(config *tls.Config) mail.DialContextFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		dialled, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		context.AfterFunc(l.ctx, func() { dialled.Close() })
		conn := &bounded{dialled, mostSaid}
		if l.Security != Implicit {
			return conn, nil
		}
		encrypted := tls.Client(conn, config)
		return encrypted, encrypted.HandshakeContext(ctx)
	}
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
