// Package nameserver is a name server of which a test says where names lead.
package nameserver

import (
	"context"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// Server answers each question with one address of IPv4.
type Server struct {
	conn    net.PacketConn
	address atomic.Pointer[netip.Addr]
}

// New starts a server that serves until the test ends.
func New(t testing.TB) *Server {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	s := &Server{conn: conn}
	s.LeadsTo("127.0.0.1")
	go s.serve()
	return s
}

// LeadsTo says where all names lead from now on.
func (s *Server) LeadsTo(address string) {
	addr := netip.MustParseAddr(address)
	s.address.Store(&addr)
}

// Resolver asks the server alone.
func (s *Server) Resolver() *net.Resolver { return At(s.Address()) }

// Address is where it listens.
func (s *Server) Address() string { return s.conn.LocalAddr().String() }

// At asks a server that may be another process's.
func At(address string) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", address)
	}}
}

func (s *Server) serve() {
	buffer := make([]byte, 4096)
	for {
		n, from, err := s.conn.ReadFrom(buffer)
		if err != nil {
			return
		}
		if answer := s.answer(buffer[:n]); answer != nil {
			_, _ = s.conn.WriteTo(answer, from)
		}
	}
}

func (s *Server) answer(question []byte) []byte {
	var m dnsmessage.Message
	if m.Unpack(question) != nil || len(m.Questions) != 1 {
		return nil
	}
	m.Response, m.Additionals = true, nil
	if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
		header := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class}
		m.Answers = []dnsmessage.Resource{{Header: header, Body: &dnsmessage.AResource{A: s.address.Load().As4()}}}
	}
	answer, _ := m.Pack()
	return answer
}
