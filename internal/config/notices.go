package config

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// later are the keys that are read and checked but do nothing yet; what stands under one, too.
// Whoever puts a key into force takes its line out.
var later = map[string]bool{
	"cluster": true,
	"relays":  true,
}

// NotYetInForce gives the keys that the file sets, to something else than the default, and that this
// version does not act on: "cluster.enabled", in the order of the file.
func (c *Config) NotYetInForce() []string {
	keys := slices.DeleteFunc(slices.Collect(maps.Keys(c.set)), func(key string) bool { return !isLater(key) })
	slices.SortFunc(keys, func(a, b string) int {
		if d := c.lines[a] - c.lines[b]; d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	return keys
}

var index = regexp.MustCompile(`\[\d+\]`)

func isLater(key string) bool {
	key = index.ReplaceAllString(key, "[]")
	for !later[key] {
		dot := strings.LastIndexByte(key, '.')
		if dot < 0 {
			return false
		}
		key = key[:dot]
	}
	return true
}

// Warnings gives what is allowed and hardly meant, one sentence each, with file, line and mend.
func (c *Config) Warnings() []string {
	warnings := slices.Clone(c.leftBehind)
	if n := c.NATS; n.UsesEmbedded() && !n.asksClients() && !loopback(n.Embedded.Listen) {
		warnings = append(warnings, fmt.Sprintf(
			"%s:%d: nats.embedded.listen: whoever reaches %s may read and write the stream; set nats.user and nats.password_file, or listen on 127.0.0.1",
			c.file, c.lines["nats.embedded.listen"], n.Embedded.Listen))
	}
	if h := c.HTTP; h.Listen != "" && !loopback(h.Listen) && h.TokenFile == "" && h.TLS.ClientCAFile == "" {
		warnings = append(warnings, fmt.Sprintf(
			"%s:%d: http.listen: whoever reaches %s may read all jobs and events; set http.token_file or http.tls.client_ca_file, or listen on 127.0.0.1",
			c.file, c.lines["http.listen"], h.Listen))
	}
	return warnings
}

// loopback takes a name other than localhost for one that others may reach.
func loopback(listen string) bool {
	host, _, _ := net.SplitHostPort(listen)
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}
