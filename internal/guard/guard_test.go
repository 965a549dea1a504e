package guard

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"

	"jobwatch/internal/testing/nameserver"
)

func TestWhatIsNotDialled(t *testing.T) {
	for _, row := range []struct{ address, want string }{
		{"93.184.215.14:443", ""},
		{"[2606:2800:21f:cb07:6820:80da:af6b:8b2c]:443", ""},
		{"127.0.0.1:443", "127.0.0.1 is this machine itself; if that is meant, write allow: [127.0.0.0/8]"},
		{"127.8.8.8:8080", "127.8.8.8 is this machine itself; if that is meant, write allow: [127.0.0.0/8]"},
		{"[::ffff:127.0.0.1]:443", "127.0.0.1 is this machine itself; if that is meant, write allow: [127.0.0.0/8]"},
		{"[::1]:443", "::1 is this machine itself; if that is meant, write allow: [::1/128]"},
		{"0.0.0.0:443", "0.0.0.0 is no address of the public internet; if that is meant, write allow: [0.0.0.0/32]"},
		{"[::]:443", ":: is no address of the public internet; if that is meant, write allow: [::/128]"},
		{"10.20.30.40:443", "10.20.30.40 is a private address; if that is meant, write allow: [10.20.30.40/32]"},
		{"172.16.0.1:443", "172.16.0.1 is a private address; if that is meant, write allow: [172.16.0.1/32]"},
		{"192.168.1.1:443", "192.168.1.1 is a private address; if that is meant, write allow: [192.168.1.1/32]"},
		{"[fd00::1]:443", "fd00::1 is a private address; if that is meant, write allow: [fd00::1/128]"},
		{"169.254.169.254:80", "169.254.169.254 is a link-local address; if that is meant, write allow: [169.254.169.254/32]"}, // a cloud's metadata
		{"[fe80::1%lo]:80", "fe80::1 is a link-local address; if that is meant, write allow: [fe80::1/128]"},
		{"[fd00:ec2::254]:80", "fd00:ec2::254 is a private address; if that is meant, write allow: [fd00:ec2::254/128]"},
		{"100.64.0.1:443", "100.64.0.1 is no address of the public internet; if that is meant, write allow: [100.64.0.1/32]"},
		{"255.255.255.255:443", "255.255.255.255 is no address of the public internet; if that is meant, write allow: [255.255.255.255/32]"},
		{"224.0.0.1:443", "224.0.0.1 is no address of the public internet; if that is meant, write allow: [224.0.0.1/32]"},
		{"[64:ff9b::7f00:1]:443", "64:ff9b::7f00:1 is no address of the public internet; if that is meant, write allow: [64:ff9b::7f00:1/128]"},       // NAT64 of 127.0.0.1
		{"[64:ff9b:1::7f00:1]:443", "64:ff9b:1::7f00:1 is no address of the public internet; if that is meant, write allow: [64:ff9b:1::7f00:1/128]"}, // a network's own NAT64
		{"[2002:7f00:1::]:443", "2002:7f00:1:: is no address of the public internet; if that is meant, write allow: [2002:7f00:1::/128]"},             // 6to4 of 127.0.0.1
		{"[2001:0:7f00:1::]:443", "2001:0:7f00:1:: is no address of the public internet; if that is meant, write allow: [2001:0:7f00:1::/128]"},       // Teredo
		{"[::127.0.0.1]:443", "::7f00:1 is no address of the public internet; if that is meant, write allow: [::7f00:1/128]"},                         // IPv4-compatible
	} {
		err := New(nil, nil).control("tcp", row.address, nil)
		if got := text(err); got != row.want {
			t.Errorf("%s:\n got %q\nwant %q", row.address, got, row.want)
		}
		refused, ok := errors.AsType[*Refused](err)
		if !ok {
			continue
		}
		if err := New([]netip.Prefix{refused.line()}, nil).control("tcp", row.address, nil); err != nil {
			t.Errorf("%s with the line that it names: %v", row.address, err)
		}
	}
}

func TestAllow(t *testing.T) {
	for _, row := range []struct {
		allow, address string
		dialled        bool
	}{
		{"10.20.0.0/16", "10.20.255.1:443", true},
		{"10.20.0.0/16", "10.21.0.1:443", false},
		{"10.20.7.7/16", "10.20.255.1:443", true}, // written with the host's own bits
		{"::ffff:10.20.0.0/112", "10.20.0.1:443", true},
		{"::ffff:10.20.0.0/112", "[::ffff:10.20.0.1]:443", true},
		{"10.20.0.0/16", "[::ffff:10.20.0.1]:443", true},
		{"fe80::/10", "[fe80::1%eth0]:443", true},
		{"127.0.0.0/8", "0.0.0.0:443", false}, // Linux would connect to this machine
		{"127.0.0.0/8", "[::1]:443", false},
		{"127.0.0.0/8", "[64:ff9b::7f00:1]:443", false},
		{"127.0.0.0/8", "169.254.169.254:80", false},
		{"::/0", "10.20.0.1:443", false}, // of IPv6 all, of IPv4 none
		{"0.0.0.0/0", "10.20.0.1:443", true},
	} {
		err := New([]netip.Prefix{netip.MustParsePrefix(row.allow)}, nil).control("tcp", row.address, nil)
		if (err == nil) != row.dialled {
			t.Errorf("allow: [%s], %s: %v", row.allow, row.address, err)
		}
	}
}

// TestSpellingsOfLoopback dials what people write to get past a filter. Some are no address to Go and no name to
// anybody; none may connect.
func TestSpellingsOfLoopback(t *testing.T) {
	listener, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	// No name server: a spelling that is no address stays one.
	none := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no name server") }}
	guarded := New(nil, none)
	for _, host := range []string{
		"127.0.0.1", "127.1", "127.0.0.01", "0x7f.0.0.1", "0x7f000001", "2130706433", "017700000001", "127.0.0.1.", "localhost", "LOCALHOST.",
		"0.0.0.0", "0", "::", "::1", "::ffff:127.0.0.1", "::ffff:7f00:1", "0:0:0:0:0:ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::127.0.0.1", "2002:7f00:1::",
	} {
		conn, err := guarded.DialContext(t.Context(), "tcp", net.JoinHostPort(host, port))
		if err == nil {
			conn.Close()
			t.Errorf("%s is connected to", host)
		}
	}
	if _, err := guarded.DialContext(t.Context(), "tcp", "127.0.0.1:"+port); !isRefused(err) {
		t.Errorf("it fails for another reason than the guard's: %v", err)
	}
	conn, err := New([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, nil).DialContext(t.Context(), "tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

// TestANameThatTurns has a name server lead elsewhere at the second try: to where the same listener would answer. 0.0.0.0 is
// another address of this machine, also of one that has 127.0.0.1 alone.
func TestANameThatTurns(t *testing.T) {
	listener, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	name := nameserver.New(t)
	guarded := New([]netip.Prefix{netip.MustParsePrefix("0.0.0.0/32")}, name.Resolver())

	name.LeadsTo("0.0.0.0")
	conn, err := guarded.DialContext(t.Context(), "tcp", "hooks.example.com:"+port)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()

	name.LeadsTo("127.0.0.1")
	if _, err := guarded.DialContext(t.Context(), "tcp", "hooks.example.com:"+port); !isRefused(err) {
		t.Errorf("got %v", err)
	}
}

func isRefused(err error) bool {
	_, ok := errors.AsType[*Refused](err)
	return ok
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
