// Package guard refuses connections to addresses that a configuration does not allow, at the moment they are dialled.
//
// A name is looked up when a connection is made, and may lead elsewhere than when the configuration was checked; an
// address may be written in a dozen ways. So it is the address that the operating system is about to connect to that is
// judged, at each dial.
package guard

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"code.dny.dev/ssrf"
)

// Dialer dials what is on the public internet, or allowed.
type Dialer struct {
	public *ssrf.Guardian // with what is allowed
	dialer net.Dialer
}

// New makes a Dialer that also lets through the addresses in allow. It looks names up with the resolver, nil being the
// system's.
func New(allow []netip.Prefix, resolver *net.Resolver) *Dialer {
	var v4, v6 []netip.Prefix
	for _, prefix := range allow {
		if prefix = plain(prefix); prefix.Addr().Is4() {
			v4 = append(v4, prefix)
		} else {
			v6 = append(v6, prefix)
		}
	}
	d := &Dialer{public: ssrf.New(ssrf.WithAnyPort(), ssrf.WithAllowedV4Prefixes(v4...), ssrf.WithAllowedV6Prefixes(v6...))}
	d.dialer = net.Dialer{Control: d.control, Resolver: resolver}
	return d
}

// DialContext connects as net.Dialer does. Its error is a *Refused if an address was not allowed, and no other of the
// name's answered.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return d.dialer.DialContext(ctx, network, address)
}

func (d *Dialer) control(network, address string, _ syscall.RawConn) error {
	dialled, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%s %q: %w", network, address, err)
	}
	// What is dialled on an interface of its own (fe80::1%eth0) lies in no prefix.
	if addr := dialled.Addr().Unmap().WithZone(""); d.public.SafeAddr(addr) != nil {
		return &Refused{addr}
	}
	return nil
}

// plain is the prefix of IPv4 where it is one of IPv4 written as IPv6.
func plain(prefix netip.Prefix) netip.Prefix {
	if addr := prefix.Addr(); addr.Is4In6() && prefix.Bits() >= 96 {
		return netip.PrefixFrom(addr.Unmap(), prefix.Bits()-96).Masked()
	}
	return prefix.Masked()
}

// Refused says which address was not dialled.
type Refused struct{ Addr netip.Addr }

func (r *Refused) Error() string {
	return fmt.Sprintf("%s is %s; if that is meant, write allow: [%s]", r.Addr, r.what(), r.line())
}

func (r *Refused) what() string {
	addr := r.Addr
	switch {
	case addr.IsLoopback():
		return "this machine itself"
	case addr.IsPrivate():
		return "a private address"
	case addr.IsLinkLocalUnicast():
		return "a link-local address"
	default:
		return "no address of the public internet"
	}
}

// line is what the user would write. It allows no more than is needed.
func (r *Refused) line() netip.Prefix {
	loopback := netip.MustParsePrefix("127.0.0.0/8") // all of it is one machine
	if loopback.Contains(r.Addr) {
		return loopback
	}
	return netip.PrefixFrom(r.Addr, r.Addr.BitLen())
}
