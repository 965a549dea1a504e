package commvault

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"jobwatch/internal/tlsfile"
)

// query is one request, and how its answer is read.
type query struct {
	operation     string
	job           int64
	method, path  string
	body          []byte
	json          bool          // whatever the format is
	token         bool          // it asks for one: net/http must not send it again either, and any 2xx answers it
	patience      time.Duration // at least
	limit, offset int           // paging, by headers
	entries       int           // of the feed, at most
	decode        func(body []byte) error
	show          func(body []byte, token string) error // in place of decode, for who shows what the server said
	salvage       func(body []byte, err error) error    // of what could be read of a body that is not whole; may be nil
	refused       func(e *Error, body []byte)           // reads more of an answer that is none of 2xx; may be nil
}

func httpClient(config Config) *http.Client {
	transport := config.Transport
	if transport == nil {
		transport = ownTransport(config)
	}
	if config.Wrap != nil {
		transport = config.Wrap(transport)
	}
	// Go would carry the Authtoken header along, to any host, and ask with GET what was a POST.
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &http.Client{Transport: transport, CheckRedirect: stay}
}

func ownTransport(config Config) http.RoundTripper {
	concurrency := config.Concurrency
	if concurrency <= 0 {
		concurrency = defaultConcurrency
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = concurrency + 1
	transport.MaxConnsPerHost = concurrency + 1 // one for a login
	if config.TLS != nil {
		return tlsfile.Transport(transport, config.TLS)
	}
	return transport
}

// A token that expired, the one that somebody put into its place, and a renewed one.
const mostTokens = 3

// ask sends the query; where its token has expired, it sends it once more with a new one, until that is
// a fresh one. It says when the request that was answered left.
func (c *Client) ask(ctx context.Context, q query) (time.Time, error) {
	t, err := c.session.current(ctx)
	if err != nil {
		return time.Time{}, c.explain(q, t, 0, time.Now(), err)
	}
	for sent, last := 1, false; ; sent++ {
		asked, err := c.send(ctx, q, t)
		if err == nil || KindOf(err) == UnknownJob {
			c.session.prove(t)
		}
		if KindOf(err) != Auth || last || sent == mostTokens {
			return asked, err
		}
		next, failed := c.session.renew(ctx, t)
		if errors.Is(failed, errSame) {
			return asked, err
		}
		if failed != nil {
			return time.Time{}, c.explain(q, t, 0, asked, failed)
		}
		t, last = next, next.origin == asIssued
	}
}

func (c *Client) send(ctx context.Context, q query, t token) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, max(c.timeout, q.patience))
	defer cancel()
	asked := time.Now().UTC()
	c.quota.count(asked)
	code, err := c.exchange(ctx, q, t)
	if err != nil {
		err = c.explain(q, t, code, asked, err)
	}
	c.observe(q.operation, code, time.Since(asked), err)
	return asked, err
}

// buffers holds the bodies' memory between polls.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

const keptBuffer = 1 << 20 // a larger one is left to the garbage collector

func (c *Client) exchange(ctx context.Context, q query, t token) (code int, err error) {
	request, err := c.request(ctx, q, t)
	if err != nil {
		return 0, err
	}
	asked := time.Now()
	response, err := c.http.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	c.clock.observe(response, asked, time.Now())
	body := buffers.Get().(*bytes.Buffer)
	body.Reset()
	defer func() {
		if body.Cap() <= keptBuffer {
			buffers.Put(body)
		}
	}()
	c.quota.observe(response)
	c.certificate.observe(response)
	code = response.StatusCode
	if good := code == http.StatusOK || q.token && code/100 == 2; !good {
		return code, c.refusal(response, body, q)
	}
	err = read(response, body)
	switch {
	case err == nil && q.show != nil:
		return code, q.show(body.Bytes(), t.text)
	case err == nil:
		return code, q.decode(body.Bytes())
	case q.salvage == nil:
		return code, err
	}
	_, _ = body.ReadFrom(io.LimitReader(response.Body, maxErrorBody)) // of one that is too large nothing was read
	return code, q.salvage(body.Bytes(), err)
}

func (c *Client) request(ctx context.Context, q query, t token) (*http.Request, error) {
	request, err := http.NewRequestWithContext(ctx, q.method, c.root+q.path, bytes.NewReader(q.body))
	if err != nil {
		return nil, err
	}
	h := request.Header
	format := c.format
	if q.json {
		format = inJSON
	}
	h.Set("Accept", format.mediaType())
	h.Set("Content-Type", format.mediaType())
	h.Set("User-Agent", "jobwatch")
	if q.limit > 0 {
		h.Set("limit", strconv.Itoa(q.limit))
		h.Set("offset", strconv.Itoa(q.offset))
	}
	if q.entries > 0 {
		h.Set("paginginfo", "0,"+strconv.Itoa(q.entries))
	}
	if t.text == "" {
		return request, nil
	}
	// Empty, it is not sent, and tells net/http that the request may go out again where the server
	// closed the idle connection it took. A login may not: it would count as a second try; nor may a
	// renewal, whose token may be dead by then.
	if !q.token {
		h["Idempotency-Key"] = nil
	}
	if c.bearer {
		h.Set("Authorization", "Bearer "+t.text)
	} else {
		h.Set("Authtoken", t.text)
	}
	return request, nil
}

// maxBody is the largest answer read, counted after decompression. That of a job with thousands of
// machines takes a few MiB; what is larger would only fill the memory.
const maxBody = 16 << 20

const maxErrorBody = 64 << 10 // an error page says what it has to say before that

func read(response *http.Response, body *bytes.Buffer) error {
	if response.ContentLength > maxBody {
		return tooLarge()
	}
	body.Grow(int(max(response.ContentLength, 0)) + bytes.MinRead)
	n, err := body.ReadFrom(io.LimitReader(response.Body, maxBody+1))
	_, corrupt := errors.AsType[flate.CorruptInputError](err)
	switch {
	case n > maxBody:
		return tooLarge()
	case errors.Is(err, io.ErrUnexpectedEOF):
		return notAnAnswer("the answer is cut short after %d bytes", n)
	case corrupt, errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum):
		return notAnAnswer("the answer is compressed, and damaged")
	case err != nil:
		return err
	case strings.Contains(strings.ToLower(response.Header.Get("Content-Type")), "html"):
		return webPage(body.Bytes())
	}
	return nil
}

func tooLarge() *Error {
	return &Error{Kind: TooLarge, Err: fmt.Errorf("the answer is over %d MiB", maxBody>>20)}
}

// refusal reads an answer that is not HTTP 200: an error, whatever its body says.
func (c *Client) refusal(response *http.Response, body *bytes.Buffer, q query) error {
	if response.StatusCode/100 == 3 {
		return redirected(response, q)
	}
	// What cannot be read of it is no loss: the status says enough.
	_, _ = body.ReadFrom(io.LimitReader(response.Body, maxErrorBody))
	e := &Error{Kind: HTTP}
	e.Words, e.page = complaintIn(body.Bytes())
	if q.refused != nil {
		q.refused(e, body.Bytes())
	}
	switch response.StatusCode {
	case http.StatusUnauthorized:
		e.Kind = Auth
		e.Err = c.advice
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		c.quota.throttled(e, response)
	}
	return e
}

func redirected(response *http.Response, q query) error {
	e := &Error{Kind: Redirect, Err: errors.New("a redirect that leads nowhere")}
	location, err := response.Location()
	if err != nil {
		return e
	}
	location.User, location.RawQuery, location.Fragment = nil, "", ""
	e.Location = location.String()
	operation, _, _ := strings.Cut(q.path, "?")
	if root, same := strings.CutSuffix(e.Location, operation); same {
		e.Err = fmt.Errorf("redirected to %s; set url: to %s", e.Location, root)
	} else {
		e.Err = fmt.Errorf("redirected to %s; set url: to the web service's root there", e.Location)
	}
	return e
}

const maxRetryAfter = 24 * time.Hour

func retryAfter(header string) time.Duration {
	wait := time.Duration(0)
	if seconds, err := strconv.ParseInt(strings.TrimSpace(header), 10, 64); err == nil {
		wait = time.Duration(min(seconds, int64(maxRetryAfter/time.Second))) * time.Second
	} else if at, err := http.ParseTime(header); err == nil {
		wait = time.Until(at).Round(time.Second)
	}
	return min(max(wait, 0), maxRetryAfter)
}
