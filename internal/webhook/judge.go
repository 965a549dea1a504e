package webhook

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"jobwatch/internal/guard"
	"jobwatch/internal/relay"
)

// judge says what an answer means for the event, and for what comes after it.
func judge(resp *http.Response, text string) error {
	status := resp.StatusCode
	refused := &relay.Refusal{Status: status, Reason: "HTTP " + resp.Status + text}
	switch {
	case status >= 200 && status < 300:
		return nil
	case status >= 300 && status < 400:
		refused.Kind, refused.Reason = relay.Away, "HTTP "+resp.Status+elsewhere(resp)
	case status == http.StatusGone:
		refused.Kind = relay.Gone
	case status == http.StatusBadRequest, status == http.StatusRequestEntityTooLarge,
		status == http.StatusUnsupportedMediaType, status == http.StatusUnprocessableEntity:
		refused.Kind = relay.Unfit
	case status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusNotFound, status == http.StatusProxyAuthRequired:
		refused.Kind = relay.Away
	case status == http.StatusTooManyRequests:
		refused.Kind, refused.After = relay.Away, retryAfter(resp.Header)
	case status == http.StatusServiceUnavailable:
		refused.Kind, refused.After = relay.Uncertain, retryAfter(resp.Header)
	default:
		refused.Kind = relay.Uncertain
	}
	return refused
}

// elsewhere names the host that a redirect leads to; the rest of the address may be a secret.
func elsewhere(resp *http.Response) string {
	if to, err := resp.Location(); err == nil {
		return fmt.Sprintf(": it leads to %.100q; redirects are not followed: configure the address that it leads to", to.Host)
	}
	return ": redirects are not followed"
}

// longestWait keeps a number that no clock has from becoming a negative time.
const longestWait = 24 * time.Hour

// retryAfter reads seconds or a date, which is compared with the receiver's own clock where it shows.
func retryAfter(header http.Header) time.Duration {
	text := header.Get("Retry-After")
	if seconds, err := strconv.ParseUint(text, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		return time.Duration(min(seconds, uint64(longestWait/time.Second))) * time.Second
	}
	until, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	now, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		now = time.Now()
	}
	return min(max(until.Sub(now), 0), longestWait)
}

// unanswered says what it means that no answer came.
func (w *Webhook) unanswered(err error, c *credentials) *relay.Refusal {
	if refused, ok := errors.AsType[*guard.Refused](err); ok {
		return &relay.Refusal{Kind: relay.Away, Reason: c.url.Hostname() + ": " + refused.Error()}
	}
	_, before := errors.AsType[*notConnected](err)
	late := errors.Is(err, context.DeadlineExceeded)
	switch {
	case before && late:
		return &relay.Refusal{Kind: relay.Away, Reason: fmt.Sprintf("no connection to %s within %s", c.url.Host, w.connectTime())}
	case before:
		return &relay.Refusal{Kind: relay.Away, Reason: "no connection: " + c.hide(withoutURL(err).Error())}
	case late:
		return &relay.Refusal{Kind: relay.Uncertain, Reason: fmt.Sprintf("no answer within %s", w.config.Timeout)}
	default:
		return &relay.Refusal{Kind: relay.Uncertain, Reason: "the connection broke under way: " + c.hide(withoutURL(err).Error())}
	}
}

// withoutURL is what a *url.Error wraps.
func withoutURL(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	return err
}

func unfit(format string, args ...any) *relay.Refusal {
	return &relay.Refusal{Kind: relay.Unfit, Reason: fmt.Sprintf(format, args...)}
}

// mayBeOfCredentials says whether the event might be taken with another secret, header or address than those that were
// read last. Receivers that follow the examples of Standard Webhooks answer 400 to a signature that they cannot make.
func mayBeOfCredentials(refused *relay.Refusal) bool {
	switch {
	case refused.Status == http.StatusTooManyRequests:
		return false
	case refused.Status >= 300 && refused.Status < 500:
		return true
	default:
		return refused.Status == 0 && refused.Kind == relay.Away
	}
}
