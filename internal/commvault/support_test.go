package commvault

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"jobwatch/internal/config"
)

var readSecret = config.ReadSecret

// commserve plays a CommServe without a network, so that it can be used in simulated time.
type commserve func(*http.Request) (code int, body string)

func (f commserve) RoundTrip(r *http.Request) (*http.Response, error) {
	code, body := f(r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: code, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)),
		ContentLength: int64(len(body)), Request: r,
	}, nil
}

const (
	secretToken    = "QSDK 5ec2e7-t0ken"
	secretPassword = "5ec2e7-pa55word"
)

func newClient(t *testing.T, config Config) *Client {
	t.Helper()
	config.CommCell, config.ReadSecret = "prod", readSecret
	if config.URL == "" {
		config.URL = "https://cs.example.com/webconsole/api/"
	}
	if config.Token == "" && config.Username == "" {
		config.Token = secretToken
	}
	c, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// withLogin is a Config that logs in, at the CommServe given.
func withLogin(server commserve) Config {
	return Config{Username: "watcher", Password: secretPassword, Transport: server}
}

func sent(r *http.Request) string {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err.Error()
	}
	return string(body)
}

func isLogin(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/Login") }

// requests notes what Observe was told.
type requests struct {
	mu  sync.Mutex
	all []string
}

func (o *requests) observe(operation string, code int, _ time.Duration, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all = append(o.all, operation+" "+http.StatusText(code)+" "+string(KindOf(err)))
}
