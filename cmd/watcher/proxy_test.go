package main

import (
	"io"
	"net"
	"sync"
	"testing"
)

// proxy stands between the watcher and NATS. While it swallows, what the watcher sends arrives, and
// what NATS answers does not: acknowledgements get lost, of events that are in the stream.
type proxy struct {
	listener net.Listener
	target   string

	mu         sync.Mutex
	swallowing bool       // guarded by mu
	open       []net.Conn // guarded by mu
}

func newProxy(t *testing.T, target string) *proxy {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: listener, target: target}
	t.Cleanup(func() { listener.Close(); p.cut() })
	go p.accept()
	return p
}

func (p *proxy) address() string { return p.listener.Addr().String() }

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil {
			client.Close()
			continue
		}
		p.mu.Lock()
		p.open = append(p.open, client, server)
		p.mu.Unlock()
		go copyAndClose(server, client)
		go copyAndClose(&swallower{client, p}, server)
	}
}

func copyAndClose(to io.WriteCloser, from net.Conn) {
	_, _ = io.Copy(to, from)
	to.Close()
	from.Close()
}

// swallower is the way back to the watcher.
type swallower struct {
	net.Conn
	proxy *proxy
}

func (s *swallower) Write(data []byte) (int, error) {
	s.proxy.mu.Lock()
	swallowing := s.proxy.swallowing
	s.proxy.mu.Unlock()
	if swallowing {
		return len(data), nil
	}
	return s.Conn.Write(data)
}

func (p *proxy) swallow() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.swallowing = true
}

// pass ends the swallowing. The connections that missed something are cut: their protocol is broken.
func (p *proxy) pass() {
	p.mu.Lock()
	swallowed := p.swallowing
	p.swallowing = false
	p.mu.Unlock()
	if swallowed {
		p.cut()
	}
}

func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range p.open {
		conn.Close()
	}
	p.open = nil
}
