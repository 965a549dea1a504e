package sim

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strconv"
)

// Inside is a client's transport that reaches the CommServe without a network, in the caller's own
// goroutine, so that all of it can run on testing/synctest's fake time. A body that was cut short ends
// in io.ErrUnexpectedEOF; whoever hangs gets the error of the request's context.
func (s *Sim) Inside() http.RoundTripper { return inside{s} }

type inside struct{ sim *Sim }

func (i inside) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		r = r.Clone(r.Context())
		r.Body = http.NoBody
	}
	defer r.Body.Close()
	c := &caught{header: http.Header{}}
	aborted := c.catch(i.sim, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	var body io.Reader = &c.body
	if aborted {
		body = io.MultiReader(body, cutOff{})
	}
	if c.header.Get("Content-Encoding") == "gzip" && r.Header.Get("Accept-Encoding") == "" {
		body = c.unpacked()
	}
	return &http.Response{
		Status: strconv.Itoa(c.status) + " " + http.StatusText(c.status), StatusCode: c.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: c.header, Request: r,
		Body: io.NopCloser(body), ContentLength: c.length(),
	}, nil
}

// caught is an http.ResponseWriter that keeps what it is given.
type caught struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (c *caught) Header() http.Header         { return c.header }
func (c *caught) WriteHeader(status int)      { c.status = status }
func (c *caught) Write(p []byte) (int, error) { return c.body.Write(p) }

func (c *caught) catch(h http.Handler, r *http.Request) (aborted bool) {
	defer func() {
		switch fault := recover(); fault {
		case nil:
		case http.ErrAbortHandler:
			aborted = true
		default:
			panic(fault)
		}
	}()
	h.ServeHTTP(c, r)
	return false
}

// length is what the header says, -1 for a chunked body.
func (c *caught) length() int64 {
	n, err := strconv.ParseInt(c.header.Get("Content-Length"), 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// unpacked reads the body as http.Transport does for whoever did not ask for gzip.
func (c *caught) unpacked() io.Reader {
	c.header.Del("Content-Encoding")
	c.header.Del("Content-Length")
	unpacked, err := gzip.NewReader(&c.body)
	if err != nil {
		return cutOff{}
	}
	return unpacked
}

// cutOff reads like a connection that broke.
type cutOff struct{}

func (cutOff) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
