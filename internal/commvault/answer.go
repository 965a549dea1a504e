package commvault

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

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
		return page(body.Bytes())
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
