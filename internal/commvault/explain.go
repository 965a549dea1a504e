package commvault

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"time"
)

// explain makes an *Error of whatever went wrong, and takes the secrets out of it.
func (c *Client) explain(q query, t token, code int, asked time.Time, err error) error {
	e, ours := errors.AsType[*Error](err)
	if !ours {
		e = transportError(asked, err)
	}
	if e.Operation != "" { // a login's, shared by all who waited for it
		return e
	}
	e.Operation, e.Job, e.Code = q.operation, q.job, code
	c.redact(e, t.text)
	e.Words = oneLine(e.Words)
	return e
}

func transportError(asked time.Time, err error) *Error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	var timeout net.Error
	switch {
	case errors.Is(err, context.Canceled):
		return &Error{Kind: Canceled, Err: err}
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		waited := time.Since(asked).Round(time.Millisecond)
		return &Error{Kind: Timeout, Err: &said{fmt.Sprintf("no complete answer within %v", waited), err}}
	case errors.Is(err, io.EOF):
		return &Error{Kind: Unreachable, Err: &said{"the connection was closed without an answer", err}}
	}
	if bad, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return &Error{Kind: Unreachable, Err: &said{untrusted(bad), err}}
	}
	return &Error{Kind: Unreachable, Err: err}
}

// untrusted says what is wrong with the server's certificate, and the mend.
func untrusted(bad *tls.CertificateVerificationError) string {
	switch err := bad.Err.(type) {
	case x509.UnknownAuthorityError:
		return "the server's certificate is signed by an unknown authority; name its certificate in tls.ca_file"
	case x509.HostnameError:
		return fmt.Sprintf("%v; set url: to a name that the certificate holds", err)
	default:
		return fmt.Sprintf("the server's certificate is refused: %v; see tls.ca_file", err)
	}
}

// said gives an error another sentence, and keeps its chain.
type said struct {
	sentence string
	cause    error
}

func (s *said) Error() string { return s.sentence }
func (s *said) Unwrap() error { return s.cause }

// redact takes out what a server may have echoed: tokens and passwords.
func (c *Client) redact(e *Error, token string) {
	e.Words = c.secrets.hide(e.Words, token)
	e.Location = c.secrets.hide(e.Location, token)
	if e.Kind == Redirect {
		e.Err = errors.New(c.secrets.hide(e.Err.Error(), token))
	}
}
