package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"jobwatch/internal/commvault"
	"jobwatch/internal/config"
	"jobwatch/internal/event"
	"jobwatch/internal/store"
	"jobwatch/internal/stream"
	"jobwatch/internal/tlsfile"
)

// NewClient asks the CommServe of a CommCell. Nobody counts its requests where observe is nil.
func NewClient(cell config.CommCell, observe observer, log *slog.Logger) (*commvault.Client, error) {
	return newClient(cell, observe, nil, log)
}

// newClient has all that is asked and answered heard by what wrap puts around its transport; nil: by nothing.
func newClient(cell config.CommCell, observe observer, wrap func(http.RoundTripper) http.RoundTripper, log *slog.Logger) (*commvault.Client, error) {
	secure, err := NewTLS("tls", cell.TLS, log)
	if err != nil {
		return nil, err
	}
	auth := cell.Auth
	return commvault.New(commvault.Config{
		CommCell: cell.Name, URL: cell.URL, CommCellID: int64(cell.CommCellID), Format: cell.Format,
		Token: auth.Token, TokenFile: auth.TokenFile, Scheme: auth.Scheme,
		Username: auth.Username, Password: auth.Password, PasswordFile: auth.PasswordFile, Domain: auth.Domain,
		AccessTokenFile: auth.AccessTokenFile, RefreshTokenFile: auth.RefreshTokenFile, ReadSecret: config.ReadSecret,
		TLS: secure, Timeout: cell.Timeout, Concurrency: cell.Concurrency, Log: log,
		Observe: observe, Wrap: wrap,
	})
}

type observer = func(operation string, code int, took time.Duration, err error)

func newBroker(c *config.Config, embedded *stream.Embedded, st *store.Store, log *slog.Logger) (*stream.Broker, error) {
	s, err := StreamConfig(c, log)
	if err != nil {
		return nil, err
	}
	if s.InProcess = embedded; embedded != nil {
		s.Secrets = nil // those that the server was started with
	}
	s.Waiting = func() time.Duration {
		oldest, err := st.OldestUnsent()
		if err != nil || oldest.IsZero() {
			return 0
		}
		return time.Since(oldest)
	}
	return stream.New(s), nil
}

// StreamConfig says where others than its own process find NATS.
func StreamConfig(cfg *config.Config, log *slog.Logger) (stream.Config, error) {
	c := cfg.NATS
	password, token, err := natsSecrets(c)
	if err != nil {
		return stream.Config{}, err
	}
	secure, err := NewTLS("nats.tls", c.TLS, log)
	if err != nil {
		return stream.Config{}, err
	}
	var samples []string
	for _, cell := range cfg.CommCells {
		samples = append(samples, event.Samples(c.SubjectPrefix, cell.Name)...)
	}
	return stream.Config{
		URL: clientURL(c), CredsFile: c.CredsFile, NKeyFile: c.NKeyFile, User: c.User, Password: password, Token: token, TLS: secure,
		Secrets:        func() (string, string, error) { return natsSecrets(c) },
		HandshakeFirst: c.TLSFirst, Domain: c.Domain,
		Stream: c.Stream, Subjects: event.Subjects(c.SubjectPrefix), Samples: samples, Replicas: c.Replicas, MaxAge: c.MaxAge, MaxBytes: c.MaxBytes,
		Log: log,
	}, nil
}

func natsSecrets(c config.NATS) (password, token string, err error) {
	if password, err = secret("nats.password_file", "", c.PasswordFile); err != nil {
		return "", "", err
	}
	token, err = secret("nats.token_file", "", c.TokenFile)
	return password, token, err
}

// clientURL is where clients on this machine connect. One that listens on all addresses is not found under that name.
func clientURL(c config.NATS) string {
	if !c.UsesEmbedded() {
		return c.URL
	}
	host, port, _ := net.SplitHostPort(c.Embedded.Listen)
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "nats://" + net.JoinHostPort(host, port)
}

// StartEmbedded starts the NATS server that runs in this process.
func StartEmbedded(c config.NATS, log *slog.Logger) (*stream.Embedded, error) {
	password, token, err := natsSecrets(c)
	if err != nil {
		return nil, err
	}
	return stream.StartEmbedded(stream.EmbeddedConfig{
		Listen: c.Embedded.Listen, Dir: c.Embedded.Dir, SyncAlways: c.Embedded.Sync == "always",
		User: c.User, Password: password, Token: token, Log: log,
	})
}

// ErrAway says that there is no NATS to read from.
var ErrAway = errors.New("NATS is away")

// NATSPatience is how long NATS is waited for.
const NATSPatience = 5 * time.Second

// AwaitStream waits for NATS and the stream as long as a person would. Where they are not there by then, the error wraps
// ErrAway and says why.
func AwaitStream(ctx context.Context, broker *stream.Broker) error {
	soon, cancel := context.WithTimeout(ctx, NATSPatience)
	defer cancel()
	_, err := broker.Ready(soon)
	if !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
		return err
	}
	switch why := broker.LastError(); {
	case why != nil:
		return fmt.Errorf("%w: %w", ErrAway, why)
	case broker.Connected():
		return fmt.Errorf("%w: the server is there, but its JetStream gives no answer within %v", ErrAway, NATSPatience)
	}
	return fmt.Errorf("%w: no answer within %v", ErrAway, NATSPatience)
}

// secret is a value given in the configuration itself, or in a file that it names.
func secret(key, value, file string) (string, error) {
	if file == "" {
		return value, nil
	}
	return config.ReadSecret(key, file)
}

// NewTLS gives nil where nothing differs from the system's defaults.
func NewTLS(key string, c config.TLS, log *slog.Logger) (tlsfile.Source, error) {
	return tlsfile.Client(tlsfile.Files{
		Key: key, CA: c.CAFile, Cert: c.CertFile, PrivateKey: c.KeyFile, InsecureSkipVerify: c.InsecureSkipVerify,
	}, log)
}
