package slack

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"jobwatch/internal/relay"
)

// webhook is an incoming webhook of Slack's: it takes messages, and gives nothing by which they could be changed.
type webhook struct {
	address func() (string, error)
	client  http.Client
	timeout time.Duration

	mu    sync.Mutex
	url   string
	until time.Time
}

func newWebhook(c Config) (*webhook, error) {
	w := &webhook{address: c.WebhookURL, client: *c.HTTP, timeout: c.Timeout}
	w.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return w, w.reread()
}

// reread reads the address. Its errors do not show it.
func (w *webhook) reread() error {
	text, err := w.address()
	if err != nil {
		return err
	}
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return fmt.Errorf("slack: webhook_url_file holds no address; it begins with https://hooks.slack.com/services/")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.url = u.String()
	return nil
}

func (w *webhook) post(ctx context.Context, m message) error {
	w.mu.Lock()
	to, left := w.url, time.Until(w.until)
	w.mu.Unlock()
	if left > 0 {
		return &relay.Refusal{Kind: relay.Away, Status: http.StatusTooManyRequests, Reason: "Slack wants no calls for now", After: left}
	}
	body, err := json.Marshal(struct {
		message
		UnfurlLinks bool   `json:"unfurl_links"`
		UnfurlMedia bool   `json:"unfurl_media"`
		Markdown    bool   `json:"mrkdwn"`
		LinkNames   bool   `json:"link_names"`
		Parse       string `json:"parse"`
	}{message: m, Parse: "none"})
	if err != nil {
		return &relay.Refusal{Kind: relay.Unfit, Reason: "the message is no JSON"}
	}
	ctx, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return &relay.Refusal{Kind: relay.Away, Reason: "the webhook's address is none"}
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := w.client.Do(request)
	if err != nil {
		return refusalOfWire(ctx, "incoming webhook", err, secretsOf(request.URL))
	}
	defer response.Body.Close()
	answer, _ := io.ReadAll(io.LimitReader(response.Body, 1<<10)) //nolint:errcheck // the status says enough
	if response.StatusCode == http.StatusOK {
		return nil
	}
	return w.refused(response, string(answer))
}

// secretsOf is what comes after the host, as a whole and in parts.
func secretsOf(u *url.URL) []string {
	return append([]string{u.RequestURI(), u.Path}, strings.Split(u.EscapedPath(), "/")...)
}

func (w *webhook) refused(response *http.Response, answer string) error {
	refusal := refusalOfStatus("incoming webhook", response.StatusCode)
	code := strings.TrimSpace(answer)
	if mend, known := mends[code]; known {
		refusal.Reason += ": " + code + ": " + mend
	}
	if refusal.Kind == relay.Away {
		refusal.After = retryAfter(response.Header.Get("Retry-After"))
		w.mu.Lock()
		w.until = time.Now().Add(refusal.After)
		w.mu.Unlock()
		_ = w.reread() //nolint:errcheck // the old address remains
	}
	return refusal
}

// check sees whether the webhook's server is there. Slack has no way to try a webhook without a message to people.
func (w *webhook) check(ctx context.Context) error {
	w.mu.Lock()
	u, err := url.Parse(w.url)
	w.mu.Unlock()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodHead, (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: "/"}).String(), nil)
	if err != nil {
		return err
	}
	response, err := w.client.Do(request)
	if err != nil {
		if _, ok := err.(net.Error); ok { //nolint:errorlint // it is url.Error, which is always one
			return refusalOfWire(ctx, "incoming webhook", err, nil)
		}
		return err
	}
	return response.Body.Close()
}
