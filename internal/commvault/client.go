// Package commvault asks a CommServe about jobs, in JSON or XML. It turns its answers into job.Snapshot
// and its refusals into *Error; the API's ugliness ends in wire.go.
package commvault

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"jobwatch/internal/job"
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

	Scheme string // authtoken (also ""): "Authtoken: <token>"; bearer: "Authorization: Bearer <token>"

	TLS         *tls.Config
	Timeout     time.Duration     // one request; 0 is 30 s
	Concurrency int               // requests under way at once, as many connections are kept; 0 is 8
	Transport   http.RoundTripper // nil: its own; tests play the CommServe here
	Log         *slog.Logger      // nil: silent

	// Observe is called once a request, with its HTTP status (0: none came). May be nil.
	Observe func(operation string, code int, took time.Duration, err error)
}

// Client asks one CommServe. All its methods may be called at once, and all their errors are *Error.
type Client struct {
	commcell   string
	root       string
	commcellID int64
	format     format
	bearer     bool
	secrets    secrets
	advice     error // what to do about a refused token; nil: that is done here
	timeout    time.Duration
	http       *http.Client
	session    *session
	attempts   attemptsAsked
	quota      quota
	log        *slog.Logger
	observe    func(operation string, code int, took time.Duration, err error)
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
	way, err := c.wayFor(config)
	c.session = &session{way: way, undivided: make(chan struct{}, 1)}
	return err
}

// wayFor reads once what it will read again: an error is better told now.
func (c *Client) wayFor(config Config) (way, error) {
	switch {
	case config.Username != "":
		l := &login{client: c, config: config, password: passwordIn(config)}
		_, err := l.password()
		return l, err
	case config.AccessTokenFile != "":
		p := &pairs{client: c, files: pairFiles{access: config.AccessTokenFile, refresh: config.RefreshTokenFile}}
		_, err := p.files.read()
		return p, err
	}
	r := &ready{client: c, read: givenIn("auth.token_file", config.Token, config.TokenFile)}
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

// JobDetails asks for one job (POST JobDetails). A nil error is an observation; errors.Is(err, ErrUnknownJob)
// says that the CommServe answered, and does not know the job or does not show it.
//
// A finished job's answer may carry no state; its summary does. That one is asked for then, and where it cannot be
// had there is no observation: what the answer showed comes with the error, for who knows the state otherwise.
func (c *Client) JobDetails(ctx context.Context, number int64) (job.Observation, error) {
	seen, err := c.details(ctx, number)
	if err != nil {
		return job.Observation{}, err
	}
	if seen.Snapshot.EndsWithoutState() {
		err = c.addState(ctx, &seen.Snapshot)
	}
	seen.Answered = time.Now().UTC()
	return seen, err
}

func (c *Client) askDetails(ctx context.Context, number int64, attempts bool) (seen job.Observation, err error) {
	body := c.format.details(number, c.commcellID, attempts)
	q := query{operation: "JobDetails", job: number, method: http.MethodPost, path: "/JobDetails", body: body}
	q.decode = func(body []byte) (err error) {
		seen.Snapshot, err = decodeDetails(c.commcell, number, body)
		return err
	}
	seen.Asked, err = c.ask(ctx, q)
	return seen, err
}

func (c *Client) addState(ctx context.Context, snapshot *job.Snapshot) error {
	line, err := c.Summary(ctx, snapshot.Number)
	if errors.Is(err, ErrUnknownJob) {
		return nil
	}
	if err != nil {
		return err
	}
	if job.LookUp(line.Status, false).Finished {
		snapshot.State = line.Status
		snapshot.Settle()
	}
	return nil
}
