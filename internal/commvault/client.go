// Package commvault asks a CommServe about jobs, in JSON or XML. It turns its answers into job.Snapshot
// and its refusals into *Error; the API's ugliness ends in wire.go.
package commvault

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"jobwatch/internal/tlsfile"
)

// Config says which CommServe to ask, and how.
type Config struct {
	CommCell   string // the name that snapshots and errors carry
	URL        string // the <webservice> root: https://cs.example.com/webconsole/api
	CommCellID int64  // sent with each JobDetails where it is above 0; a CommServe takes 2 without it
	Format     string // what requests are written in, and answers asked for: json (also ""), xml

	// One of three ways to authenticate. Files are read again when what they held is refused; the errors
	// about them name the configuration's keys.
	Token, TokenFile       string // a ready token
	Username               string // a login, renewed when its session ends, and repeated where it cannot be
	Password, PasswordFile string
	Domain                 string
	AccessTokenFile        string // a pair that is renewed; see pairFiles
	RefreshTokenFile       string
	ReadSecret             func(key, file string) (string, error) // reads what stands in a file; key is the configuration's

	Scheme string // authtoken (also ""): "Authtoken: <token>"; bearer: "Authorization: Bearer <token>"

	TLS         tlsfile.Source                            // nil: the system's defaults
	Timeout     time.Duration                             // one request; 0 is 30 s
	Concurrency int                                       // requests under way at once, as many connections are kept; 0 is 8
	Transport   http.RoundTripper                         // nil: its own; tests play the CommServe here
	Wrap        func(http.RoundTripper) http.RoundTripper // stands around the transport, and hears all of it; nil: nothing does
	Log         *slog.Logger                              // nil: silent

	// Observe is called once a request, with its HTTP status (0: none came). May be nil.
	Observe func(operation string, code int, took time.Duration, err error)
}

// Client asks one CommServe. All its methods may be called at once, and all their errors are *Error.
type Client struct {
	commcell    string
	root        string
	commcellID  int64
	format      format
	bearer      bool
	secrets     secrets
	advice      error // to the user about a refused token; nil: the client gets another by itself
	timeout     time.Duration
	http        *http.Client
	session     *session
	attempts    attemptsSupport
	quota       quota
	certificate certificate
	clock       clock
	log         *slog.Logger
	observe     func(operation string, code int, took time.Duration, err error)
}

const (
	defaultTimeout     = 30 * time.Second
	defaultConcurrency = 8
)

// New prepares a Client; it sends nothing. The error is one in the Config, or in a file that it names.
func New(config Config) (*Client, error) {
	root, err := webservice(config.URL)
	if err != nil {
		return nil, fmt.Errorf("commcell %s: url: %w", config.CommCell, err)
	}
	c := &Client{
		commcell: config.CommCell, root: root, commcellID: config.CommCellID,
		timeout: config.Timeout, log: config.Log, observe: config.Observe,
	}
	if c.format, err = formatNamed(config.Format); err != nil {
		return nil, fmt.Errorf("commcell %s: %w", config.CommCell, err)
	}
	if c.timeout <= 0 {
		c.timeout = defaultTimeout
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	if c.observe == nil {
		c.observe = func(string, int, time.Duration, error) {}
	}
	c.http = httpClient(config)
	if err := c.authenticate(config); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *Client) authenticate(config Config) error {
	switch config.Scheme {
	case "", "authtoken":
	case "bearer":
		c.bearer = true
	default:
		return fmt.Errorf("commcell %s: auth: scheme is %q; write authtoken or bearer", config.CommCell, config.Scheme)
	}
	auth, err := c.authenticatorFor(config)
	c.session = &session{auth: auth, exchanging: make(chan struct{}, 1)}
	return err
}

// authenticatorFor reads once what will be read again later: an error in it is better reported now.
func (c *Client) authenticatorFor(config Config) (authenticator, error) {
	switch {
	case config.Username != "":
		l := &passwordLogin{client: c, config: config, password: passwordIn(config)}
		_, err := l.password()
		return l, err
	case config.AccessTokenFile != "":
		p := &pairRenewer{client: c, files: pairFiles{access: config.AccessTokenFile, refresh: config.RefreshTokenFile, readSecret: config.ReadSecret}}
		_, err := p.files.read()
		return p, err
	}
	r := &staticToken{client: c, read: tokenIn(config.ReadSecret, "auth.token_file", config.Token, config.TokenFile)}
	text, err := r.read()
	if err == nil && text == "" {
		err = fmt.Errorf("commcell %s: auth: neither a token nor a username is given", config.CommCell)
	}
	c.advice = errStaleToken
	return r, err
}

// webservice checks the root. A secret in a URL would end up in errors and proxies' logs.
func webservice(text string) (string, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return "", errors.New("no URL; write https://<host>/webconsole/api")
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		return "", fmt.Errorf("%q is no http or https URL; write https://<host>/webconsole/api", u.Redacted())
	case u.User != nil, u.RawQuery != "", u.Fragment != "":
		return "", errors.New("a user, a query or a fragment has no place in it; see auth")
	}
	return strings.TrimRight(u.String(), "/"), nil
}
