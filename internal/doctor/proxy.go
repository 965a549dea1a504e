package doctor

import (
	"context"
	"fmt"
	"net"
	"net/url"

	"golang.org/x/net/http/httpproxy"
)

const mendOfProxy = "mend HTTPS_PROXY or HTTP_PROXY in the environment, or name the CommServe in NO_PROXY"

var usualPorts = map[string]string{"http": "80", "https": "443", "socks5": "1080", "socks5h": "1080"}

// way finds the proxy that the environment names for this CommServe, as net/http does.
func (p *commCellProbe) way(context.Context) bool {
	u, err := url.Parse(p.cell.URL)
	if err != nil {
		return p.failed("name", err)
	}
	if p.proxy, err = httpproxy.FromEnvironment().ProxyFunc()(u); err != nil {
		return p.failed("proxy", fmt.Errorf("%w; %s", err, mendOfProxy))
	}
	return true
}

// throughProxy checks the way to the proxy. What comes behind it, the requests show.
func (p *commCellProbe) throughProxy(ctx context.Context) bool {
	address := p.proxy.Host
	if p.proxy.Port() == "" {
		address = net.JoinHostPort(p.proxy.Hostname(), usualPorts[p.proxy.Scheme])
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return p.failed("proxy", fmt.Errorf("%w; %s", err, mendOfProxy))
	}
	defer conn.Close()
	return p.ok("proxy", "%s answers; what lies behind it is asked through it", address)
}
