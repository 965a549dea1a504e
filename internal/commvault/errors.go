package commvault

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"
)

// Kind says what became of a request, as a metric's label spells it.
type Kind string

// The kinds of errors.
const (
	Unreachable Kind = "unreachable"   // no connection, or one that broke before the answer began
	Timeout     Kind = "timeout"       // no complete answer in time
	Canceled    Kind = "canceled"      // whoever asked gave up
	HTTP        Kind = "http"          // a status other than 200 and those below
	Throttled   Kind = "throttled"     // HTTP 429 or 503
	Auth        Kind = "auth"          // the token or the login is refused
	Redirect    Kind = "redirect"      // never followed: the token would go along
	NotAnAnswer Kind = "not_an_answer" // HTTP 200 with something else than was asked for
	TooLarge    Kind = "too_large"     // over 16 MiB
	UnknownJob  Kind = "unknown_job"   // see ErrUnknownJob
)

// ErrUnknownJob is a complete answer without the job. That it does not exist, that the user may not
// see it, and that it is missing for a moment cannot be told apart.
var ErrUnknownJob = errors.New("the CommServe does not know the job")

// Error is a request that brought no answer.
type Error struct {
	Operation  string // JobDetails, Jobs, Summary, Events, Login, RenewLoginToken, RenewAccessToken
	Job        int64  // 0: of no single job
	Code       int    // HTTP status; 0: none came
	Kind       Kind
	Words      string        // the server's own, one line, at most 300 characters
	RetryAfter time.Duration // asked for by the server, grown after a 429 that asks for none, or until the next login
	Rate       float64       // requests a second that the server's quota allows, where a 429 names it; 0: it does not
	Location   string        // of a redirect, without its query
	Err        error         // our own words

	page    bool   // HTML: something stands in front of the CommServe, or it is starting
	subject string // opens the sentence in place of operation and job
	tail    string // ends it
	refusal bool   // an answer without a token to a login or a renewal, which is not to be repeated at once
}

// Error is one line.
func (e *Error) Error() string {
	parts := []string{e.opening()}
	if e.Code != 0 && e.Code != http.StatusOK {
		parts = append(parts, fmt.Sprintf("HTTP %d", e.Code))
	}
	if e.Err != nil {
		parts = append(parts, e.Err.Error())
	}
	switch {
	case e.Words != "":
		parts = append(parts, e.Words)
	case e.Err == nil && e.Code != 0:
		parts = append(parts, http.StatusText(e.Code))
	}
	return strings.Join(parts, ": ") + e.tail
}

func (e *Error) opening() string {
	switch {
	case e.subject != "":
		return e.subject
	case e.Job != 0:
		return fmt.Sprintf("%s of job %d", e.Operation, e.Job)
	}
	return e.Operation
}

// Reason is the error's sentence where it has to tell by itself why a CommCell does not answer: that of
// a refused token or login begins with "auth: ".
func Reason(err error) string {
	if KindOf(err) == Auth {
		return string(Auth) + ": " + err.Error()
	}
	return err.Error()
}

// Unwrap gives the cause: ErrUnknownJob, a context's error, one of the network.
func (e *Error) Unwrap() error { return e.Err }

// KindOf gives the kind of an error of this package; "" for nil, "other" for what is none of ours.
func KindOf(err error) Kind {
	if err == nil {
		return ""
	}
	if e, ours := errors.AsType[*Error](err); ours {
		return e.Kind
	}
	return "other"
}

// Retryable says whether the same request may well succeed a moment later.
func Retryable(err error) bool {
	e, ours := errors.AsType[*Error](err)
	if !ours || e.refusal {
		return false
	}
	switch e.Kind {
	case Unreachable:
		_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
		return !untrusted
	case Timeout, Throttled, NotAnAnswer:
		return true
	case HTTP:
		return e.Code >= 500 || e.Code == http.StatusRequestTimeout
	default:
		return false
	}
}

// LoginRefused says whether the request itself was not sent for want of a token: the login or the renewal before it
// brought none, or what was given to authenticate with is not fit.
func LoginRefused(err error) bool {
	e, ours := errors.AsType[*Error](err)
	return ours && (e.refusal || e.Kind == Auth && e.Code == 0)
}

// SourceDown says whether the error is one of the CommCell as a whole, so that asking for its
// other jobs is of no use now.
func SourceDown(err error) bool {
	e, ours := errors.AsType[*Error](err)
	if !ours {
		return false
	}
	switch e.Kind {
	case Unreachable, Timeout, Throttled, Auth, Redirect:
		return true
	default:
		return e.page || e.refusal || e.Code >= 500
	}
}

func notAnAnswer(format string, args ...any) *Error {
	return &Error{Kind: NotAnAnswer, Err: fmt.Errorf(format, args...)}
}

const wordsLimit = 300 // characters

// oneLine makes the server's words fit for a log: no line ends, no control characters, not too long.
func oneLine(words string) string {
	words = words[:min(len(words), 16*wordsLimit)]
	printable := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(words, "\uFFFD"))
	line := []rune(strings.Join(strings.Fields(printable), " "))
	if len(line) > wordsLimit {
		line = append(line[:wordsLimit-1], '…')
	}
	return string(line)
}

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
		return &Error{Kind: Timeout, Err: &reworded{fmt.Sprintf("no complete answer within %v", waited), err}}
	case errors.Is(err, io.EOF):
		return &Error{Kind: Unreachable, Err: &reworded{"the connection was closed without an answer", err}}
	}
	if bad, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return &Error{Kind: Unreachable, Err: &reworded{Untrusted(bad), err}}
	}
	return &Error{Kind: Unreachable, Err: err}
}

// Untrusted says what is wrong with the server's certificate, and how to fix it.
func Untrusted(bad *tls.CertificateVerificationError) string {
	if errors.As(bad.Err, new(x509.UnknownAuthorityError)) {
		return "the server's certificate is signed by an unknown authority; name its certificate in tls.ca_file"
	}
	if misnamed, is := errors.AsType[x509.HostnameError](bad.Err); is {
		return fmt.Sprintf("%v; set url: to a name that the certificate holds", misnamed)
	}
	if invalid, is := errors.AsType[x509.CertificateInvalidError](bad.Err); is && invalid.Reason == x509.Expired {
		return outOfDate(invalid.Cert)
	}
	return fmt.Sprintf("the server's certificate is refused: %v; see tls.ca_file", bad.Err)
}

// outOfDate is said of the server's own certificate, or of one that signed it.
func outOfDate(c *x509.Certificate) string {
	if time.Now().Before(c.NotBefore) {
		return fmt.Sprintf("the server's certificate is good from %s on; is this machine's clock right?", c.NotBefore.UTC().Format(time.RFC3339))
	}
	return fmt.Sprintf("the server's certificate (%s) ended on %s; have it renewed", c.Subject.CommonName, c.NotAfter.UTC().Format(time.RFC3339))
}

// reworded gives an error another sentence, and keeps its chain.
type reworded struct {
	sentence string
	cause    error
}

func (s *reworded) Error() string { return s.sentence }
func (s *reworded) Unwrap() error { return s.cause }

// redact takes out what a server may have echoed: tokens and passwords.
func (c *Client) redact(e *Error, token string) {
	e.Words = c.secrets.hide(e.Words, token)
	e.Location = c.secrets.hide(e.Location, token)
	if e.Kind == Redirect {
		e.Err = errors.New(c.secrets.hide(e.Err.Error(), token))
	}
}

// Failure is how a CommServe as a whole fails, in a word.
type Failure string

// The failures.
const (
	NoAnswer Failure = "no_answer" // nothing comes
	Refused  Failure = "refused"   // it answers, and takes neither token nor login, or gives no right
	NotAsked Failure = "not_asked" // nothing is sent: there is nothing to authenticate with
	Unusable Failure = "unusable"  // it answers, and with nothing that it was asked for
)

// FailureOf says which one an error is.
func FailureOf(err error) Failure {
	e, ours := errors.AsType[*Error](err)
	switch {
	case !ours: // another CommServe than the one wanted, say
		return Unusable
	case e.Kind == Auth && e.Code == 0 && !e.refusal:
		return NotAsked
	case e.Kind == Auth, e.Code == http.StatusUnauthorized, e.Code == http.StatusForbidden:
		return Refused
	case e.Code == 0:
		return NoAnswer
	}
	return Unusable
}

// Says is the predicate of a sentence about the CommServe.
func (f Failure) Says() string {
	switch f {
	case Refused:
		return "answers, and refuses this watcher"
	case NotAsked:
		return "cannot be asked"
	case Unusable:
		return "answers with errors only"
	default:
		return "does not answer"
	}
}
