package stream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"jobwatch/internal/testing/certs"
	"jobwatch/internal/testing/ports"
	"jobwatch/internal/testing/slow"
	"jobwatch/internal/tlsfile"
)

// certified is a certificate for 127.0.0.1, and who trusts it.
func certified(t *testing.T) (serving *tls.Config, trusting tlsfile.Source) {
	t.Helper()
	a := certs.New(t)
	a.Sign("server")
	return &tls.Config{Certificates: []tls.Certificate{a.Pair("server")}}, trusts(t, tlsfile.Files{CA: a.File("ca.pem")})
}

func trusts(t *testing.T, f tlsfile.Files) tlsfile.Source {
	t.Helper()
	f.Key = "nats.tls"
	source, err := tlsfile.Client(f, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return source
}

// Each row is a way to connect. The error of another one names the key that fixes it, in the same words at each try.
func TestWaysIn(t *testing.T) {
	serving, trusting := certified(t)
	ways := map[string]func(c *Config, address string){
		"nats":       func(c *Config, address string) { c.URL = "nats://" + address },
		"nats TLS":   func(c *Config, address string) { c.URL, c.TLS = "nats://"+address, trusting },
		"TLS first":  func(c *Config, address string) { c.URL, c.TLS, c.HandshakeFirst = "nats://"+address, trusting, true },
		"ws":         func(c *Config, address string) { c.URL = "ws://" + address },
		"wss":        func(c *Config, address string) { c.URL, c.TLS = "wss://"+address, trusting },
		"untrusting": func(c *Config, address string) { c.URL = "tls://" + address },
	}
	const (
		silence = "connected, and NATS says nothing: a server that wants TLS first needs nats.tls.handshake_first: true, a WebSocket ws:// or wss:// in nats.url"
		noTLS   = "the server has no TLS; leave nats.tls out"
		noFirst = "it does not begin with TLS; set nats.tls.handshake_first to false"
		noWeb   = "no such WebSocket there; write nats:// in nats.url"
		noWSS   = "no TLS there; write ws:// in nats.url"
		unknown = "certificate signed by unknown authority; name its authority in nats.tls.ca_file"
	)
	listener := func(secure *tls.Config) func(*server.Options) {
		return func(o *server.Options) {
			o.Websocket = server.WebsocketOpts{Host: "127.0.0.1", Port: ports.Free(t), TLSConfig: secure, NoTLS: secure == nil}
		}
	}
	for name, row := range map[string]struct {
		server func(*server.Options)
		says   map[string]string // way => a part of the error; none: it is in
	}{
		"nats": {func(*server.Options) {}, map[string]string{
			"nats TLS": noTLS, "TLS first": noFirst, "ws": noWeb, "wss": noWSS, "untrusting": noTLS}},
		"nats TLS": {func(o *server.Options) { o.TLSConfig, o.TLSTimeout = serving, 5 }, map[string]string{
			"nats": unknown, "TLS first": noFirst, "ws": noWeb, "wss": noWSS, "untrusting": unknown}},
		"TLS first": {func(o *server.Options) { o.TLSConfig, o.TLSTimeout, o.TLSHandshakeFirst = serving, 1, true }, map[string]string{
			"nats": silence, "nats TLS": silence, "ws": noWeb, "wss": noWeb, "untrusting": silence}},
		"ws": {listener(nil), map[string]string{
			"nats": silence, "nats TLS": silence, "TLS first": noFirst, "wss": noWSS, "untrusting": silence}},
		"wss": {listener(serving), map[string]string{
			"nats": silence, "nats TLS": silence, "TLS first": "is it a WebSocket (wss:// in nats.url)?", "ws": noWeb, "untrusting": silence}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := startServer(t, row.server)
			address := srv.Addr().String()
			if u, err := url.Parse(srv.WebsocketURL()); err == nil && strings.HasPrefix(name, "ws") {
				address = u.Host
			}
			for way, take := range ways {
				var c Config
				take(&c, address)
				if row.says[way] == "" {
					b := run(t, c)
					ready(t, b)
					publish(t, b, event(1, "a", 0))
					if _, err := b.Scan(soon(t), 0, func(Message) error { return nil }); err != nil {
						t.Errorf("%s: %v", way, err)
					}
					continue
				}
				b := New(c)
				_, err := b.dial(soon(t), nil)
				for tries := 0; err != nil && strings.Contains(err.Error(), silence) && row.says[way] != silence && tries < 5; tries++ {
					_, err = b.dial(soon(t), nil) // a busy machine is silent, too
				}
				if err == nil || !strings.Contains(err.Error(), row.says[way]) || strings.Contains(err.Error(), "server_id") {
					t.Errorf("%s:\n got %v\nwant %s", way, err, row.says[way])
				}
			}
		})
	}
}

// startLeaf runs a server whose leaf node is connected to a hub that has JetStream in the domain hub.
func startLeaf(t *testing.T, change func(*server.Options)) *server.Server {
	t.Helper()
	port := ports.Free(t)
	startServer(t, func(o *server.Options) {
		o.JetStreamDomain, o.LeafNode = "hub", server.LeafNodeOpts{Host: "127.0.0.1", Port: port}
	})
	remote := &url.URL{Scheme: "nats", Host: fmt.Sprintf("127.0.0.1:%d", port)}
	leaf := startServer(t, change, func(o *server.Options) {
		o.LeafNode.Remotes = []*server.RemoteLeafOpts{{URLs: []*url.URL{remote}}}
		o.LeafNode.ReconnectInterval = 50 * time.Millisecond
	})
	until(t, "the leaf node is connected", func() bool { return leaf.NumLeafNodes() > 0 })
	return leaf
}

func bare(o *server.Options) { o.JetStream = false }

// All that the watcher asks of JetStream goes through the domain's prefix.
func TestADomainThroughALeafNode(t *testing.T) {
	for name, change := range map[string]func(*server.Options){
		"a leaf without JetStream":   bare,
		"a leaf with one of its own": func(o *server.Options) { o.JetStreamDomain = "leaf" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := startLeaf(t, change)
			cfg := Config{URL: srv.ClientURL(), Domain: "hub", CheckEvery: 10 * time.Millisecond}
			b := run(t, cfg)
			ready(t, b)
			fill(t, b, 3)
			if m, err := b.Last(soon(t), "jobs.prod.2.>"); err != nil || m.ID != "id-2" {
				t.Errorf("got %+v, %v", m, err)
			}
			read := 0
			if last, err := b.Scan(soon(t), 0, func(Message) error { read++; return nil }); err != nil || last != 3 || read != 3 {
				t.Errorf("read %d up to %d (%v), want 3", read, last, err)
			}
			for _, f := range Probe(soon(t), cfg) {
				if f.Grade != OK {
					t.Errorf("check says %s: %s", f.What, f.Text)
				}
			}
			if err := b.Usable(); err != nil {
				t.Error(err)
			}
		})
	}
}

// What relays and members of a cluster do beside the stream goes there, too, with the rights that are documented, under the
// domain's prefix.
func TestRelaysAndClustersInADomain(t *testing.T) {
	slow.Test(t, "2 s", "a leaf node finds its hub, and all that relays and members do goes through it")
	for name, change := range map[string]func(*server.Options){
		"a leaf without JetStream":   bare,
		"a leaf with one of its own": func(o *server.Options) { o.JetStreamDomain = "leaf" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var has rights
			for _, role := range []string{"A watcher with relays", "A member of a cluster"} {
				r := documented(t, role)
				has.publish, has.subscribe = append(has.publish, r.publish...), append(has.subscribe, r.subscribe...)
			}
			for i, subject := range has.publish {
				if has.publish[i] = strings.Replace(subject, "$JS.API.", "$JS.hub.API.", 1); strings.HasPrefix(subject, "$KV.") {
					has.publish[i] = "$JS.hub.API." + subject
				}
			}
			has.publish = append(has.publish, "$JS.API.STREAM.NAMES", "$JS.API.STREAM.INFO.*") // whether the leaf has a store of its own
			refused := new(violations)
			srv := startLeaf(t, func(o *server.Options) {
				change(o)
				o.Users = []*server.User{{Username: "jobwatch", Password: "x", Permissions: &server.Permissions{
					Publish: &server.SubjectPermission{Allow: has.publish}, Subscribe: &server.SubjectPermission{Allow: has.subscribe},
				}}, {Username: "admin", Password: "x"}}
			})
			srv.SetLoggerV2(refused, false, false, false)
			s := &said{t: t, srv: srv, domain: "hub"}
			b := s.broker(func(*Config) {})
			s.watches(b)
			s.relays(b)
			s.shares(b)
			if all := append(s.lines(), refused.list()...); len(all) > 0 {
				t.Errorf("said, and refused:\n%s", strings.Join(all, "\n"))
			}
		})
	}
}

// A right that is missing is named as the server knows it.
func TestRightsInADomain(t *testing.T) {
	srv := startLeaf(t, func(o *server.Options) { bare(o); user("jobwatch", "$JS.hub.API.STREAM.INFO.>")(o) })
	b := run(t, Config{URL: srv.ClientURL(), Domain: "hub", User: "jobwatch", Password: "secret"})
	_, err := b.Ready(soon(t))
	if err == nil || !strings.Contains(err.Error(), "$JS.hub.API.STREAM.INFO.JOBS: no right") {
		t.Errorf("got %v", err)
	}
}

// Who meets no JetStream is not led to a second store.
func TestNoJetStreamThroughALeafNode(t *testing.T) {
	slow.Test(t, "2 s", "what a leaf node does not pass on is not answered, until a time-out")
	srv := startLeaf(t, bare)
	for domain, want := range map[string]string{
		"":      "NATS without JetStream; where it is reached through a leaf node, set nats.domain to its domain; else mend with: jetstream {store_dir",
		"other": "no JetStream answers in the domain other; mend nats.domain",
	} {
		cfg := Config{URL: srv.ClientURL(), Domain: domain}
		b := run(t, cfg)
		ctx, cancel := context.WithCancel(soon(t))
		said := make(chan error, 1)
		go func() {
			_, err := b.Ready(ctx)
			said <- err
		}()
		until(t, want, func() bool { err := b.LastError(); return err != nil && strings.Contains(err.Error(), want) })
		cancel()
		var misfit *MisfitError
		if err := <-said; errors.As(err, &misfit) != (domain == "") { // a hub may be away
			t.Errorf("domain %q: ended with %v", domain, err)
		}
		found := Probe(soon(t), cfg)
		if last := found[len(found)-1]; last.Grade != Failed || !strings.Contains(last.Text, want) {
			t.Errorf("domain %q: check says %q, want %s", domain, last, want)
		}
	}
}

// A second store, as one makes who once forgot the domain: both would answer what is published.
func TestASecondStoreOutsideTheDomain(t *testing.T) {
	srv := startLeaf(t, func(o *server.Options) { o.JetStreamDomain = "leaf" })
	ready(t, run(t, Config{URL: srv.ClientURL()}))
	cfg := Config{URL: srv.ClientURL(), Domain: "hub"}
	const want = "stream JOBS, outside the domain hub, takes jobs.> too; remove it (nats stream rm JOBS), or set nats.domain to where it is"
	if _, err := run(t, cfg).Ready(soon(t)); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
	makeStream(t, admin(t, run(t, Config{URL: srv.ClientURL(), Domain: "hub"})), Config{}.withDefaults().newStream())
	if found := Probe(soon(t), cfg); len(found) < 2 || !strings.Contains(found[1].Text, want) {
		t.Errorf("check says %q, want %s", found, want)
	}
	ready(t, run(t, Config{URL: srv.ClientURL(), Domain: "leaf"}))
}
