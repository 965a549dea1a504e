package webhook

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"jobwatch/internal/event"
	"jobwatch/internal/relay"
)

// message is what is posted of an event.
type message struct {
	id          string
	replayed    bool
	contentType string
	body        []byte
}

// message makes what is posted. Its error is a *relay.Refusal: it could not be made of any other try either.
func (w *Webhook) message(e *relay.Event) (message, error) {
	m := message{id: e.ID, replayed: e.Replayed, contentType: event.ContentType, body: e.Data}
	if !sendable(e.ID) {
		return m, unfit("its id is none that an HTTP header can carry: %.100q", e.ID)
	}
	if w.body == nil {
		return m, nil
	}
	m.contentType = "application/json"
	var err error
	if m.body, err = w.body.fill(e.Data); err != nil {
		return m, unfit("no body can be made of it: %v", err)
	}
	return m, nil
}

// sendable says whether a header can carry the text. Events of ours are; others may have got into the stream.
func sendable(id string) bool {
	return id != "" && !strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

func (w *Webhook) request(ctx context.Context, m message, c *credentials) (*http.Request, error) {
	header, err := w.header(m, c)
	if err != nil {
		return nil, err
	}
	body := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(m.body)), nil }
	req := &http.Request{
		Method: http.MethodPost, URL: c.url, Host: c.url.Host, Header: header, ContentLength: int64(len(m.body)),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		GetBody: body, // for a connection that was closed before anything was sent
	}
	req.Body, _ = body()
	return req.WithContext(ctx), nil
}

func (w *Webhook) header(m message, c *credentials) (http.Header, error) {
	now := time.Now()
	header := make(http.Header, len(c.header)+6)
	for name, values := range c.header {
		header[name] = values
	}
	header["User-Agent"] = []string{"jobwatch/" + w.config.Version}
	header["Content-Type"] = []string{m.contentType}
	header["Webhook-Id"] = []string{m.id}
	header["Webhook-Timestamp"] = []string{strconv.FormatInt(now.Unix(), 10)}
	if m.replayed {
		header["Jobwatch-Replayed"] = []string{"true"}
	}
	if len(c.signers) == 0 {
		return header, nil
	}
	signatures, err := sign(c.signers, m, now)
	if err != nil {
		return nil, err
	}
	header["Webhook-Signature"] = []string{signatures}
	return header, nil
}

// sign gives a signature for each secret: the receiver looks for one that it can make, too.
func sign(signers []*standardwebhooks.Webhook, m message, now time.Time) (string, error) {
	signatures := make([]string, len(signers))
	for i, signer := range signers {
		var err error
		if signatures[i], err = signer.Sign(m.id, now, m.body); err != nil {
			return "", err
		}
	}
	return strings.Join(signatures, " "), nil
}
