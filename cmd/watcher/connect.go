package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"time"

	"jobwatch/internal/commvault"
	"jobwatch/internal/config"
	"jobwatch/internal/event"
	"jobwatch/internal/stream"
)

func newClient(cell config.CommCell, observe observer, log *slog.Logger) (*commvault.Client, error) {
	token, err := secret("auth.token_file", cell.Auth.Token, cell.Auth.TokenFile)
	if err != nil {
		return nil, err
	}
	password, err := secret("auth.password_file", cell.Auth.Password, cell.Auth.PasswordFile)
	if err != nil {
		return nil, err
	}
	if token == "" && cell.Auth.Username == "" {
		return nil, fmt.Errorf("auth.access_token_file is not yet in force; use token_file, or username and password_file")
	}
	secure, err := newTLS(cell.TLS)
	if err != nil {
		return nil, err
	}
	return commvault.New(commvault.Config{
		CommCell: cell.Name, URL: cell.URL, CommCellID: int64(cell.CommCellID),
		Token: token, Username: cell.Auth.Username, Password: password, Domain: cell.Auth.Domain, Scheme: cell.Auth.Scheme,
		TLS: secure, Timeout: cell.Timeout, Concurrency: cell.Concurrency, Log: log,
		Observe: observe,
	})
}

// observer counts a request; nil: nobody does.
type observer = func(operation string, code int, took time.Duration, err error)

func newBroker(c config.NATS, embedded *stream.Embedded, log *slog.Logger) (*stream.Broker, error) {
	password, err := secret("nats.password_file", "", c.PasswordFile)
	if err != nil {
		return nil, err
	}
	token, err := secret("nats.token_file", "", c.TokenFile)
	if err != nil {
		return nil, err
	}
	secure, err := newTLS(c.TLS)
	if err != nil {
		return nil, fmt.Errorf("nats: %w", err)
	}
	s := stream.Config{
		URL: c.URL, CredsFile: c.CredsFile, NKeyFile: c.NKeyFile, User: c.User, Password: password, Token: token, TLS: secure,
		Stream: c.Stream, Subjects: event.Subjects(c.SubjectPrefix), Replicas: c.Replicas, MaxAge: c.MaxAge, MaxBytes: c.MaxBytes,
		Log: log,
	}
	if embedded != nil {
		s.InProcess = embedded
	}
	return stream.New(s), nil
}

func startEmbedded(c config.NATS, log *slog.Logger) (*stream.Embedded, error) {
	return stream.StartEmbedded(stream.EmbeddedConfig{
		Listen: c.Embedded.Listen, Dir: c.Embedded.Dir, SyncAlways: c.Embedded.Sync == "always", Log: log,
	})
}

// secret is a value given in the configuration itself, or in a file that it names.
func secret(key, value, file string) (string, error) {
	if file == "" {
		return value, nil
	}
	return config.ReadSecret(key, file)
}

// newTLS gives nil where nothing differs from the system's defaults.
func newTLS(c config.TLS) (*tls.Config, error) {
	if c == (config.TLS{}) {
		return nil, nil
	}
	secure := &tls.Config{InsecureSkipVerify: c.InsecureSkipVerify, MinVersion: tls.VersionTLS12}
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("tls.ca_file: %w", err)
		}
		secure.RootCAs = x509.NewCertPool()
		if !secure.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls.ca_file: %s holds no certificate in PEM form", c.CAFile)
		}
	}
	if c.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("tls.cert_file: %w", err)
		}
		secure.Certificates = []tls.Certificate{pair}
	}
	return secure, nil
}
