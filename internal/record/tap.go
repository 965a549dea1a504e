package record

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"jobwatch/internal/standin"
)

// Tap is a transport that has each answer of another one recorded, as far as the client reads it.
func (w *Writer) Tap(next http.RoundTripper) http.RoundTripper { return tap{w, next} }

type tap struct {
	writer *Writer
	next   http.RoundTripper
}

func (t tap) RoundTrip(r *http.Request) (*http.Response, error) {
	sent := time.Now()
	e := asked(r)
	e.At = sent.Sub(t.writer.began).Milliseconds()
	response, err := t.next.RoundTrip(r)
	if err != nil {
		if e.Failure = failureOf(err); !errors.Is(err, context.Canceled) {
			e.Took = time.Since(sent).Milliseconds()
			t.writer.write(e, nil)
		}
		return nil, err
	}
	e.Status, e.Proto, e.Packed = response.StatusCode, protocol(response), response.Uncompressed
	e.Clock = clockOf(response.Header, sent)
	response.Body = &heard{ReadCloser: response.Body, tell: func(body []byte, err error) {
		if errors.Is(err, context.Canceled) {
			return
		}
		e.Took = time.Since(sent).Milliseconds()
		e.note(err)
		t.writer.answered(e, response, body)
	}}
	return response, nil
}

// note says how the reading of a body ended.
func (e *Entry) note(err error) {
	switch {
	case errors.Is(err, io.EOF):
	case err == nil: // it was closed before
		e.Long = e.Status == http.StatusOK
	case failureOf(err) == timedOut:
		e.Status, e.Failure = 0, timedOut
	default:
		e.Cut = true
	}
}

// heard is a body that keeps what is read of it, until it is closed.
type heard struct {
	io.ReadCloser
	body bytes.Buffer
	err  error
	tell func(body []byte, err error)
}

func (h *heard) Read(p []byte) (int, error) {
	n, err := h.ReadCloser.Read(p)
	h.body.Write(p[:n])
	if err != nil {
		h.err = err
	}
	return n, err
}

func (h *heard) Close() error {
	if h.tell != nil {
		h.tell(h.body.Bytes(), h.err)
		h.tell = nil
	}
	return h.ReadCloser.Close()
}

// asked says what a request asks for: the client's own words alone, and never what it logs in with.
func asked(r *http.Request) Entry {
	var e Entry
	e.Op, e.Job = operation(r.URL.Path)
	e.Query = ownQuery(r.URL.Query())
	e.Limit, e.Offset = number(r.Header.Get("limit")), number(r.Header.Get("offset"))
	if e.Op == Details {
		body := requestBody(r)
		if found := jobInBody.FindSubmatch(body); found != nil {
			e.Job = number(string(found[1]))
		}
		e.Attempts = attemptsInBody.Match(body)
	}
	return e
}

var (
	jobInBody      = regexp.MustCompile(`jobId"?\s*[:=]\s*"?([0-9]{1,18})`)
	attemptsInBody = regexp.MustCompile(`showAttempt"?\s*[:=]\s*"?(true|1)`)
)

const maxRequest = 64 << 10

// requestBody leaves a client's request as it is; that of a server is read to its end.
func requestBody(r *http.Request) []byte {
	body := r.Body
	if r.GetBody != nil {
		again, err := r.GetBody()
		if err != nil {
			return nil
		}
		defer again.Close()
		body = again
	}
	if body == nil {
		return nil
	}
	read, _ := io.ReadAll(io.LimitReader(body, maxRequest)) // what is missing of it names no job
	return read
}

// operation knows a request by the end of its path, whatever stands before it.
func operation(path string) (op string, job int64) {
	path = strings.TrimSuffix(path, "/")
	for _, op := range []string{opPair, Details, opList, opEvents, opCommServ, opLogin, opRenew} {
		if strings.HasSuffix(path, "/"+op) {
			return op, 0
		}
	}
	parent, id, _ := cutLast(path, "/")
	if n := number(id); n > 0 && strings.HasSuffix(parent, "/Job") {
		return opSummary, n
	}
	return opOther, 0
}

func cutLast(text, separator string) (before, behind string, found bool) {
	at := strings.LastIndex(text, separator)
	if at < 0 {
		return "", text, false
	}
	return text[:at], text[at+len(separator):], true
}

// ownWord is what the client itself says in a query.
var ownWord = regexp.MustCompile(`^([0-9]{0,12}|Active|Finished|All)$`)

func ownQuery(query url.Values) string {
	own := url.Values{}
	for _, name := range []string{"completedJobLookupTime", "jobCategory", "jobFilter", "fromTime"} {
		if value := query.Get(name); query.Has(name) && ownWord.MatchString(value) {
			own.Set(name, value)
		}
	}
	return own.Encode()
}

func number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0
	}
	return max(n, 0)
}

func failureOf(err error) string {
	var timeout net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout() {
		return timedOut
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return refused
	}
	if _, is := errors.AsType[*net.DNSError](err); is {
		return unnamed
	}
	if _, is := errors.AsType[*tls.CertificateVerificationError](err); is {
		return untrusted
	}
	return closed
}

// answered has an answer written, and none of its secrets.
func (w *Writer) answered(e Entry, response *http.Response, body []byte) {
	if e.Status == 0 {
		body = nil
	}
	if e.Long {
		body, e.Form = nil, standin.Other
	}
	w.mu.Lock()
	e.Header = w.keptHeader(response, e.Op)
	w.mu.Unlock()
	w.write(e, body)
}
