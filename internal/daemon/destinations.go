package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"jobwatch/internal/audit"
	"jobwatch/internal/config"
	"jobwatch/internal/email"
	"jobwatch/internal/relay"
	"jobwatch/internal/slack"
	"jobwatch/internal/webhook"
)

// Destination is where a relay's events go. Besides taking them it can be looked at.
type Destination interface {
	relay.Destination

	// Check tries the destination without a message to people. The error says what is wrong, and how to mend it.
	Check(ctx context.Context) error

	// Preview is what would be sent now, secrets left out.
	Preview(b relay.Batch) (text string, err error)
}

// OpenDestination opens the one destination that the relay has. It sends nothing. The error names the key under the
// relay's, and holds no secret.
func OpenDestination(c config.Relay, version string, memory relay.Memory, publish PublishCheckpoint, log *slog.Logger) (Destination, error) {
	switch {
	case c.Slack != nil:
		return openSlack(c, memory)
	case c.Webhook != nil:
		return openWebhook(c, version, log)
	case c.Email != nil:
		return openEmail(c, version)
	default:
		return openAudit(c, publish)
	}
}

// openAudit gives the log as it is before it is opened, which the first delivery does: whoever stands by locks nothing.
func openAudit(c config.Relay, publish PublishCheckpoint) (*audit.Log, error) {
	a := c.Audit
	settings := audit.Config{Dir: a.Dir, KeyFile: a.KeyFile, Origin: "jobwatch/" + c.Name, Size: a.Rotate.Size, Age: a.Rotate.Age, Keep: a.Keep}
	if publish != nil {
		settings.Publish = func(ctx context.Context, checkpoint []byte) error { return publish(ctx, c.Name, checkpoint) }
	}
	return audit.New(settings)
}

// PublishCheckpoint has a copy of an audit log's checkpoint leave the machine.
type PublishCheckpoint func(ctx context.Context, relay string, checkpoint []byte) error

func openSlack(c config.Relay, memory relay.Memory) (Destination, error) {
	s := c.Slack
	settings := slack.Config{
		Relay: c.Name, Channel: s.Channel, Broadcast: append([]string{}, s.Broadcast...), APIURL: s.APIURL, Memory: memory, Timeout: c.Timeout,
	}
	for _, link := range s.Links {
		settings.Links = append(settings.Links, slack.Link{Name: link.Text, URL: link.URL})
	}
	if s.WebhookURLFile != "" {
		settings.WebhookURL = fromFile("slack.webhook_url_file", s.WebhookURLFile)
	} else {
		settings.Token = fromFile("slack.token_file", s.TokenFile)
	}
	return opened(slack.New(settings))
}

// fromFile reads a secret each time that it is asked for: it may be another one then.
func fromFile(key, file string) func() (string, error) {
	return func() (string, error) { return config.ReadSecret(key, file) }
}

// opened keeps a nil pointer from becoming a Destination.
func opened[D Destination](to D, err error) (Destination, error) {
	if err != nil {
		return nil, err
	}
	return to, nil
}

func openWebhook(c config.Relay, version string, log *slog.Logger) (Destination, error) {
	settings, err := webhookConfig(c)
	if err != nil {
		return nil, err
	}
	if settings.TLS, err = NewTLS("webhook.tls", c.Webhook.TLS, log); err != nil {
		return nil, err
	}
	settings.Version = version
	return opened(webhook.New(settings))
}

// webhookConfig reads no file.
func webhookConfig(c config.Relay) (webhook.Config, error) {
	w := c.Webhook
	headers := map[string]string{}
	for _, h := range w.Headers {
		headers[h.Name] = h.ValueFile
	}
	body, err := plain(w.Body)
	if err != nil {
		return webhook.Config{}, fmt.Errorf("webhook.body: %w", err)
	}
	return webhook.Config{
		URL: w.URL, URLFile: w.URLFile, SecretFiles: w.SecretFiles, Headers: headers, Body: body,
		Allow: w.Allow, AllowHTTP: w.AllowHTTP, Timeout: c.Timeout, ReadSecret: config.ReadSecret,
	}, nil
}

// plain is a value of JSON whose whole numbers stay such.
func plain(raw json.RawMessage) (any, error) {
	if raw == nil {
		return nil, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		return nil, err
	}
	return withNumbers(v), nil
}

func withNumbers(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key := range v {
			v[key] = withNumbers(v[key])
		}
	case []any:
		for i := range v {
			v[i] = withNumbers(v[i])
		}
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, _ := v.Float64()
		return f
	}
	return v
}

func openEmail(c config.Relay, version string) (Destination, error) {
	e := c.Email
	settings := email.Config{
		Relay: c.Name, Server: e.Server, Security: email.Security(e.TLS), Username: e.Username, From: e.From, To: e.To,
		Timeout: c.Timeout, Version: version,
	}
	if e.PasswordFile != "" {
		settings.Password = fromFile("email.password_file", e.PasswordFile)
		if _, err := settings.Password(); err != nil {
			return nil, err
		}
	}
	to, err := email.New(settings)
	if err != nil {
		return nil, fmt.Errorf("email.%w", err)
	}
	return to, nil
}

// CheckRelays finds what the text of a configuration shows to be wrong with its relays and only a destination knows: the
// places of a webhook's body. The error is a *config.Error.
func CheckRelays(c *config.Config) error {
	var found []error
	for i, r := range c.Relays {
		if r.Webhook == nil || r.Webhook.Body == nil {
			continue
		}
		settings, err := webhookConfig(r)
		if err == nil {
			err = settings.Validate()
		}
		if err != nil {
			key, problem, _ := strings.Cut(err.Error(), ": ")
			found = append(found, c.Mistake(fmt.Sprintf("relays[%d].%s", i, key), problem))
		}
	}
	return errors.Join(found...)
}
