package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
)

// Warnings gives what is allowed and hardly meant, one sentence each, with file, line and what to do.
func (c *Config) Warnings() []string {
	warnings := slices.Clone(c.warnings)
	if n := c.NATS; n.UsesEmbedded() && n.User == "" && n.TokenFile == "" && !loopback(n.Embedded.Listen) {
		warnings = append(warnings, fmt.Sprintf(
			"%s:%d: nats.embedded.listen: whoever reaches %s may read and write the stream; set nats.user and nats.password_file, or listen on 127.0.0.1",
			c.file, c.lines["nats.embedded.listen"], n.Embedded.Listen))
	}
	if h := c.HTTP; h.Listen != "" && !loopback(h.Listen) && h.TokenFile == "" && h.TLS.ClientCAFile == "" {
		warnings = append(warnings, fmt.Sprintf(
			"%s:%d: http.listen: whoever reaches %s may read all jobs and events; set http.token_file or http.tls.client_ca_file, or listen on 127.0.0.1",
			c.file, c.lines["http.listen"], h.Listen))
	}
	return slices.Concat(warnings, c.unprotected(), c.sharedPairs())
}

// unprotected are connections on which somebody else may read, or answer.
func (c *Config) unprotected() []string {
	var warnings []string
	warn := func(key, format string, args ...any) {
		warnings = append(warnings, (&Error{c.file, c.lines[key], key, fmt.Sprintf(format, args...)}).Error())
	}
	for i, cell := range c.CommCells {
		key := fmt.Sprintf("commcells[%d].", i)
		if u, err := url.Parse(cell.URL); err == nil && u.Scheme == "http" && !loopback(net.JoinHostPort(u.Hostname(), "80")) {
			warn(key+"url", "tokens, passwords and answers cross the network to %s unencrypted; write https://", u.Hostname())
		}
		if cell.TLS.InsecureSkipVerify {
			warn(key+"tls.insecure_skip_verify",
				"whoever stands between gets the login, and answers in the CommServe's place; set tls.ca_file to the certificate of who signed its own")
		}
	}
	if c.NATS.TLS.InsecureSkipVerify {
		warn("nats.tls.insecure_skip_verify",
			"whoever stands between gets the login, and reads and writes the stream; set tls.ca_file to the certificate of who signed its own")
	}
	return warnings
}

// sharedPairs warns of what one file on several machines invites: a pair that both renew, each time the end of the other's.
func (c *Config) sharedPairs() (warnings []string) {
	for i, cell := range c.CommCells {
		if key := fmt.Sprintf("commcells[%d].auth.refresh_token_file", i); c.Cluster.Enabled && cell.Auth.RefreshTokenFile != "" {
			warnings = append(warnings, fmt.Sprintf("%s:%d: %s: a pair of tokens serves one machine; make one for each, or use token_file or username",
				c.file, c.lines[key], key))
		}
	}
	return warnings
}

// loopback takes a name other than localhost for one that others may reach.
func loopback(listen string) bool {
	host, _, _ := net.SplitHostPort(listen)
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}
