package daemon

import (
	"context"
	"log/slog"
	"net"

	"jobwatch/internal/config"
	"jobwatch/internal/tlsfile"
	"jobwatch/internal/web"
)

// site is the HTTP side. The nil site is off.
type site struct {
	config   web.Config
	listener net.Listener
}

// newSite takes the address, so that a start fails at once where it cannot be had.
func newSite(c config.HTTP, version string, log *slog.Logger) (*site, error) {
	if c.Listen == "" {
		return nil, nil
	}
	token, err := secret("http.token_file", "", c.TokenFile)
	if err != nil {
		return nil, err
	}
	secure, err := tlsfile.Server(tlsfile.Files{
		Key: "http.tls", CA: c.TLS.ClientCAFile, Cert: c.TLS.CertFile, PrivateKey: c.TLS.KeyFile,
	}, log)
	if err != nil {
		return nil, err
	}
	s := &site{config: web.Config{Listen: c.Listen, TLS: secure, Token: token, Version: version, Log: log}}
	s.listener, err = s.config.Bind()
	return s, err
}

func (s *site) close() {
	if s != nil && s.listener != nil {
		s.listener.Close()
	}
}

// run serves until ctx ends.
func (s *site) run(ctx context.Context, of *parts) error {
	if s == nil {
		return nil
	}
	c := &s.config
	c.Store, c.Broker, c.Publisher, c.Pollers = of.store, of.broker, of.publisher, of.pollers.Pollers
	c.Relays, c.Metrics, c.Meters, c.Board = of.relays.shown, of.metrics.Handler(), of.metrics, &of.board
	c.Cluster, c.CommCells = of.clusterShown(), of.commCellNames
	c.Configuration = of.configuration
	if of.member != nil {
		c.Instance = of.member.Instance
	}
	return s.serve(ctx)
}

// serve serves until ctx ends.
func (s *site) serve(ctx context.Context) error {
	if s == nil {
		return nil
	}
	return web.New(s.config).Run(ctx, s.listener)
}
