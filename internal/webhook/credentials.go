package webhook

import (
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// credentials are what files say of a destination.
type credentials struct {
	url     *url.URL
	header  http.Header
	signers []*standardwebhooks.Webhook
	secrets []string // what must not be told, the longest first
	texts   []string // what was read, to compare with what is read later
}

// read reads the files that the configuration names. Its error holds nothing of what they hold.
func (w *Webhook) read() (*credentials, error) {
	c := &credentials{header: make(http.Header, len(w.config.Headers))}
	for _, part := range []func(*credentials) error{w.readURL, w.readHeaders, w.readSecrets} {
		if err := part(c); err != nil {
			return nil, err
		}
	}
	c.sortSecrets()
	return c, nil
}

func (w *Webhook) readURL(c *credentials) error {
	text := w.config.URL
	if text == "" {
		var err error
		if text, err = w.config.ReadSecret("webhook.url_file", w.config.URLFile); err != nil {
			return err
		}
	}
	to, err := parseURL(text, w.config.AllowHTTP)
	if err != nil && w.config.URL == "" {
		return fmt.Errorf("webhook.url_file: %s: %w", w.config.URLFile, err)
	}
	if err != nil {
		return fmt.Errorf("webhook.url: %w", err)
	}
	c.url = to
	c.texts = append(c.texts, text)
	c.keep(text)
	c.keepURL(to, w.config.URL == "")
	if user := to.User; user != nil { // net/http sends it by an http.Client alone
		password, _ := user.Password()
		basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+password))
		c.header.Set("Authorization", basic)
		c.keepHeader(basic)
		c.url = withoutUser(to)
	}
	return nil
}

func withoutUser(u *url.URL) *url.URL {
	bare := *u
	bare.User = nil
	return &bare
}

func (w *Webhook) readHeaders(c *credentials) error {
	for _, name := range slices.Sorted(maps.Keys(w.config.Headers)) {
		value, err := w.config.ReadSecret("webhook.headers."+name+".value_file", w.config.Headers[name])
		if err != nil {
			return err
		}
		c.header.Set(name, value)
		c.texts = append(c.texts, value)
		c.keepHeader(value)
	}
	return nil
}

func (w *Webhook) readSecrets(c *credentials) error {
	for i, file := range w.config.SecretFiles {
		key := fmt.Sprintf("webhook.secret_files[%d]", i)
		secret, err := w.config.ReadSecret(key, file)
		if err != nil {
			return err
		}
		signer, err := newSigner(secret)
		if err != nil {
			return fmt.Errorf("%s: %s: %w", key, file, err)
		}
		c.signers = append(c.signers, signer)
		c.texts = append(c.texts, secret)
		c.keep(secret)
		c.keep(strings.TrimPrefix(secret, secretPrefix))
	}
	return nil
}

const secretPrefix = "whsec_"

var errSecret = errors.New(`is not "whsec_" and base64 of 24 to 64 bytes; make one with: echo whsec_$(openssl rand -base64 32)`)

func newSigner(secret string) (*standardwebhooks.Webhook, error) {
	encoded, ok := strings.CutPrefix(secret, secretPrefix)
	key, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if !ok || err != nil || len(key) < 24 || len(key) > 64 {
		return nil, errSecret
	}
	return standardwebhooks.NewWebhookRaw(key)
}

// renew gives what the files say now, or what another delivery has read meanwhile: the same where nothing has changed.
// Where they cannot be read, as while somebody changes them, what was read before stands.
func (w *Webhook) renew(used *credentials) (*credentials, error) {
	w.reading.Lock()
	defer w.reading.Unlock()
	if current := w.credentials.Load(); current != used {
		return current, nil
	}
	read, err := w.read()
	if err != nil || slices.Equal(read.texts, used.texts) {
		return used, err
	}
	w.credentials.Store(read)
	return read, nil
}

// keep notes what must not be told. What is shorter tells nothing, and would make holes in other words.
func (c *credentials) keep(secret string) {
	const shortest = 6
	if len(secret) >= shortest {
		c.secrets = append(c.secrets, secret)
	}
}

// keepURL keeps what comes after the host. A receiver may answer with parts of it, and those of a file are secrets.
func (c *credentials) keepURL(u *url.URL, ofFile bool) {
	c.keep(u.RequestURI())
	c.keep(u.Path)
	for _, values := range u.Query() {
		for _, value := range values {
			c.keep(value)
			c.keep(url.QueryEscape(value))
		}
	}
	if ofFile {
		for segment := range strings.SplitSeq(u.EscapedPath(), "/") {
			c.keep(segment)
		}
	}
	if u.User != nil {
		c.keep(u.User.String()) // as it is encoded there
	}
}

// keepHeader keeps a value, its parts ("Bearer", the token), and what basic authentication encodes.
func (c *credentials) keepHeader(value string) {
	c.keep(value)
	for _, part := range strings.Fields(value) {
		c.keep(part)
	}
	scheme, encoded, _ := strings.Cut(value, " ")
	if decoded, err := base64.StdEncoding.DecodeString(encoded); err == nil && strings.EqualFold(scheme, "Basic") {
		c.keep(string(decoded))
		_, password, _ := strings.Cut(string(decoded), ":")
		c.keep(password)
	}
}

func (c *credentials) sortSecrets() {
	slices.SortFunc(c.secrets, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
}

// hide takes the secrets out of a text that is to be told.
func (c *credentials) hide(text string) string {
	for _, secret := range c.secrets {
		text = strings.ReplaceAll(text, secret, "…")
	}
	return text
}
