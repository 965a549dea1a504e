// Package threeservers runs three NATS servers as one cluster, for tests: each can be stopped, and cut off from the others.
package threeservers

import (
	"fmt"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"jobwatch/internal/testing/ports"
)

// Servers are the three. Each keeps its addresses over a restart, and comes to each other one through a link.
type Servers struct {
	t     testing.TB
	dir   string
	ports [3]int
	links [3][3]*link // from the first to the second
	none  *link       // leads nowhere: what the servers tell each other of addresses would lead around the links
	srv   [3]*server.Server
}

// Start runs them until the test ends.
func Start(t testing.TB) *Servers {
	t.Helper()
	s := &Servers{t: t, dir: t.TempDir(), none: newLink(t, "")}
	s.none.cut()
	for i := range 3 {
		s.ports[i] = ports.Free(t)
		routes := fmt.Sprintf("127.0.0.1:%d", ports.Free(t))
		for j := range 3 {
			s.links[j][i] = newLink(t, routes)
		}
	}
	for i := range 3 {
		s.launch(i)
	}
	t.Cleanup(func() {
		for i := range 3 {
			s.Stop(i)
		}
	})
	s.AwaitWhole()
	return s
}

// URL is where clients find a server.
func (s *Servers) URL(i int) string { return fmt.Sprintf("nats://127.0.0.1:%d", s.ports[i]) }

// URLs are those of all three.
func (s *Servers) URLs() string { return strings.Join([]string{s.URL(0), s.URL(1), s.URL(2)}, ",") }

// Stop shuts a server down, if it runs.
func (s *Servers) Stop(i int) {
	if s.srv[i] != nil {
		s.srv[i].Shutdown()
		s.srv[i].WaitForShutdown()
		s.srv[i] = nil
	}
}

// Restart starts a server that was stopped.
func (s *Servers) Restart(i int) {
	s.t.Helper()
	s.launch(i)
	s.AwaitWhole()
}

// CutOff cuts a server off from the two others, but not from its clients. Heal ends that.
func (s *Servers) CutOff(i int) {
	for j := range 3 {
		s.links[i][j].cut()
		s.links[j][i].cut()
	}
}

// Heal has all find each other again.
func (s *Servers) Heal() {
	s.t.Helper()
	for i := range 3 {
		for j := range 3 {
			s.links[i][j].heal()
		}
	}
	s.AwaitWhole()
}

// Leader is the server that leads a stream; -1: none does.
func (s *Servers) Leader(stream string) int {
	return slices.IndexFunc(s.srv[:], func(srv *server.Server) bool {
		return srv != nil && srv.JetStreamIsStreamLeader(server.DEFAULT_GLOBAL_ACCOUNT, stream)
	})
}

// Lead has a server lead a stream.
func (s *Servers) Lead(i int, stream string) {
	s.t.Helper()
	Until(s.t, fmt.Sprintf("server %d leads %s", i+1, stream), func() bool {
		leader := s.Leader(stream)
		if leader >= 0 && leader != i {
			_ = s.srv[leader].JetStreamStepdownStream(server.DEFAULT_GLOBAL_ACCOUNT, stream) // again, if it is not done
			Until(s.t, stream+" has a leader", func() bool { return s.Leader(stream) >= 0 })
		}
		return leader == i
	})
}

// Of is the server that a client is connected to, who calls itself so; -1: none.
func (s *Servers) Of(client string) int {
	return slices.IndexFunc(s.srv[:], func(srv *server.Server) bool {
		if srv == nil {
			return false
		}
		is, err := srv.Connz(nil)
		return err == nil && slices.ContainsFunc(is.Conns, func(c *server.ConnInfo) bool { return c.Name == client })
	})
}

// AwaitWhole waits until all that run know each other, and have all that is stored.
func (s *Servers) AwaitWhole() {
	s.t.Helper()
	Until(s.t, "one of the servers leads, and knows the others", func() bool {
		return slices.ContainsFunc(s.srv[:], func(srv *server.Server) bool {
			return srv != nil && srv.JetStreamIsLeader() && len(srv.JetStreamClusterPeers()) == 3
		})
	})
	for _, srv := range s.srv {
		if srv != nil {
			Until(s.t, srv.Name()+" has all", func() bool { return srv.JetStreamIsCurrent() && srv.NumRoutes() > 0 && healthy(srv) })
		}
	}
}

func healthy(srv *server.Server) bool {
	is, err := srv.JszAccount(&server.JSzOptions{Account: server.DEFAULT_GLOBAL_ACCOUNT, Streams: true})
	if err != nil {
		return true // no account yet
	}
	return !slices.ContainsFunc(is.Streams, func(st server.StreamDetail) bool {
		c := st.Cluster
		return c == nil || c.Leader == "" || !srv.JetStreamIsStreamCurrent(server.DEFAULT_GLOBAL_ACCOUNT, st.Name)
	})
}

func (s *Servers) launch(i int) {
	s.t.Helper()
	name := fmt.Sprint("server", i+1)
	var routes []string
	for j := range 3 {
		if j != i {
			routes = append(routes, "nats://"+s.links[i][j].address())
		}
	}
	_, port, _ := net.SplitHostPort(s.links[0][i].to)
	options := &server.Options{
		ServerName: name, Host: "127.0.0.1", Port: s.ports[i], NoSigs: true, NoLog: true,
		JetStream: true, StoreDir: filepath.Join(s.dir, name),
		Cluster: server.ClusterOpts{Name: "three", Host: "127.0.0.1", NoAdvertise: true, Advertise: s.none.address()},
		Routes:  server.RoutesFromStr(strings.Join(routes, ",")),
	}
	if _, err := fmt.Sscan(port, &options.Cluster.Port); err != nil {
		s.t.Fatal(err)
	}
	srv, err := server.NewServer(options)
	if err != nil {
		s.t.Fatal(err)
	}
	srv.Start()
	if !srv.ReadyForConnections(time.Minute) {
		s.t.Fatalf("%s takes no connections", name)
	}
	s.srv[i] = srv
}

// Until waits for a condition that no channel tells.
func Until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(2 * time.Minute); !holds(); {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("waited two minutes until %s", what)
		}
	}
}

// link is how one server comes to another.
type link struct {
	listener net.Listener
	to       string

	mu     sync.Mutex
	broken bool
	ends   []net.Conn
}

func newLink(t testing.TB, to string) *link {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &link{listener: listener, to: to}
	t.Cleanup(func() {
		listener.Close()
		l.cut()
	})
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			l.join(near)
		}
	}()
	return l
}

func (l *link) address() string { return l.listener.Addr().String() }

func (l *link) join(near net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken {
		near.Close()
		return
	}
	far, err := net.DialTimeout("tcp", l.to, time.Second)
	if err != nil {
		near.Close()
		return
	}
	l.ends = append(l.ends, near, far)
	go carry(far, near)
	go carry(near, far)
}

func carry(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	to.Close()
	from.Close()
}

func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.broken = true
	for _, end := range l.ends {
		end.Close()
	}
	l.ends = nil
}

func (l *link) heal() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.broken = false
}
