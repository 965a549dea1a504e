// Package webhook delivers events by HTTP, signed after Standard Webhooks.
//
// An event is one POST. What the receiver answers is judged in judge.go; where it refuses what jobwatch has shown of
// itself, files are read again (credentials.go), so that a secret can be changed under way.
package webhook

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"jobwatch/internal/guard"
	"jobwatch/internal/printable"
	"jobwatch/internal/relay"
	"jobwatch/internal/tlsfile"
)

// Config says where events go, and how.
type Config struct {
	URL, URLFile string            // one of the two
	SecretFiles  []string          // each signs
	Headers      map[string]string // name => file that holds the value
	Body         any               // of a YAML file, with places; nil: the event as it is

	Allow     []netip.Prefix // addresses that are dialled though they are not public
	AllowHTTP bool           // without TLS
	TLS       tlsfile.Source // nil: the system's defaults

	Timeout    time.Duration                          // one delivery; 0 is 15 s
	ReadSecret func(key, file string) (string, error) // reads what stands in a file; key is the configuration's
	Version    string                                 // of jobwatch
	Resolver   *net.Resolver                          // nil: the system's
}

const (
	defaultTimeout = 15 * time.Second
	longestConnect = 10 * time.Second
	mostOfAnswer   = 4 << 10
)

// Webhook is a relay.Destination.
type Webhook struct {
	config      Config
	body        *template // nil: the event as it is
	guard       *guard.Dialer
	transport   *http.Transport
	credentials atomic.Pointer[credentials]
	reading     sync.Mutex // held while credentials are replaced
}

// New prepares a Webhook; it sends nothing. The error is Validate's, or about a file that Config names.
func New(config Config) (*Webhook, error) {
	body, err := config.validate()
	if err != nil {
		return nil, err
	}
	if config.Timeout <= 0 {
		config.Timeout = defaultTimeout
	}
	w := &Webhook{config: config, body: body, guard: guard.New(config.Allow, config.Resolver)}
	w.transport = w.newTransport()
	read, err := w.read()
	if err != nil {
		return nil, err
	}
	w.credentials.Store(read)
	return w, nil
}

// Deliver posts one event after the other.
func (w *Webhook) Deliver(ctx context.Context, b relay.Batch) (done int, err error) {
	for i, e := range b.Events {
		if _, err := w.deliver(ctx, e); err != nil {
			return i, err
		}
	}
	return len(b.Events), nil
}

// Try delivers, and says what the receiver answered to the last event.
func (w *Webhook) Try(ctx context.Context, b relay.Batch) (answer string, err error) {
	for _, e := range b.Events {
		if answer, err = w.deliver(ctx, e); err != nil {
			return answer, err
		}
	}
	return answer, nil
}

func (w *Webhook) deliver(ctx context.Context, e *relay.Event) (answer string, err error) {
	m, err := w.message(e)
	if err != nil {
		return "", err
	}
	used := w.credentials.Load()
	answer, err = w.post(ctx, m, used)
	refused, ok := errors.AsType[*relay.Refusal](err)
	if !ok || !mayBeOfCredentials(refused) {
		return answer, err
	}
	renewed, unreadable := w.renew(used)
	if unreadable != nil {
		refused.Reason += "; and they cannot be read again: " + unreadable.Error()
	}
	if renewed == used {
		return answer, err
	}
	return w.post(ctx, m, renewed)
}

func (w *Webhook) post(ctx context.Context, m message, c *credentials) (answer string, err error) {
	limited, cancel := context.WithTimeout(ctx, w.config.Timeout)
	defer cancel()
	req, err := w.request(limited, m, c)
	if err != nil {
		return "", err
	}
	// Not by an http.Client: its errors hold the URL, and there is no redirect to follow, nor a cookie to keep.
	resp, err := w.transport.RoundTrip(req)
	if err != nil {
		if errors.Is(ctx.Err(), context.Canceled) { // the relay stops; its deadline is as good as ours
			return "", context.Cause(ctx)
		}
		return "", w.unanswered(err, c)
	}
	defer resp.Body.Close()
	text := c.told(beginOf(resp.Body))
	return resp.Status + text, judge(resp, text)
}

// beginOf reads what a short answer has. More of it is not worth having, nor what does not come.
func beginOf(body io.Reader) string {
	if body == http.NoBody {
		return ""
	}
	begin, _ := io.ReadAll(io.LimitReader(body, mostOfAnswer))
	return string(begin)
}

// told is what may be told of an answer.
func (c *credentials) told(answer string) string {
	const most = 200
	answer = strings.TrimSpace(printable.Line(strings.ToValidUTF8(c.hide(answer), "\uFFFD")))
	if answer == "" {
		return ""
	}
	if len(answer) > most {
		answer = strings.ToValidUTF8(answer[:most], "") + "…"
	}
	return ": " + answer
}

// Check looks whether the files can be read, and whether the address is one to connect to, by TCP and TLS. It sends no
// request.
func (w *Webhook) Check(ctx context.Context) error {
	read, err := w.read()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, w.config.Timeout)
	defer cancel()
	conn, err := w.connect(ctx, read.url)
	if err != nil {
		return w.unanswered(err, read)
	}
	return conn.Close()
}
