package stream_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"jobwatch/internal/stream"
	"jobwatch/internal/testing/brokertest"
	"jobwatch/internal/testing/slow"
)

func TestRulesAlone(t *testing.T) {
	slow.Test(t, "20 s", "the rules that the stand-in of the simulations is held to, on a real server")
	t.Parallel()
	alone := &embedded{dir: t.TempDir()}
	alone.start(t)
	t.Cleanup(alone.stop)
	brokertest.Run(t, func(t *testing.T) brokertest.World { return newWorld(t, alone) })
}

func TestRulesOnThreeReplicas(t *testing.T) {
	slow.Test(t, "60 s", "the rules that the stand-in of the simulations is held to, on three real servers")
	t.Parallel() // it mostly waits for elections, 4 to 9 s after each start
	three := newCluster(t)
	three.start(t)
	t.Cleanup(three.stop)
	brokertest.Run(t, func(t *testing.T) brokertest.World { return newWorld(t, three) })
}

// embedded is the server of nats.url: embedded.
type embedded struct {
	dir string
	srv *stream.Embedded
}

func (e *embedded) replicas() int         { return 1 }
func (e *embedded) url() string           { return e.srv.ClientURL() }
func (e *embedded) hasLeader(string) bool { return true }
func (e *embedded) hear(string) bool      { return true }
func (e *embedded) agree(string) bool     { return true }
func (e *embedded) stored() string        { return e.dir }
func (e *embedded) stop()                 { e.srv.Close() }

func (e *embedded) start(t *testing.T) {
	t.Helper()
	srv, err := stream.StartEmbedded(stream.EmbeddedConfig{Listen: "127.0.0.1:0", Dir: filepath.Join(e.dir, "nats")})
	if err != nil {
		t.Fatal(err)
	}
	e.srv = srv
}

// cluster is three servers. Each has a port of its own choice, other than that of its last life; the others come to it
// through a wire.
type cluster struct {
	dir     string
	wires   []*wire
	servers []*server.Server
}

func newCluster(t *testing.T) *cluster {
	c := &cluster{dir: t.TempDir(), servers: make([]*server.Server, 3)}
	for range c.servers {
		c.wires = append(c.wires, newWire(t))
	}
	return c
}

func (c *cluster) replicas() int  { return len(c.servers) }
func (c *cluster) url() string    { return c.servers[0].ClientURL() }
func (c *cluster) stored() string { return c.dir }

func (c *cluster) stop() {
	for _, srv := range c.servers {
		srv.Shutdown()
	}
	for _, srv := range c.servers {
		srv.WaitForShutdown()
	}
}

func (c *cluster) start(t *testing.T) {
	t.Helper()
	for i := range c.servers {
		srv, err := server.NewServer(c.options(i))
		if err != nil {
			t.Fatal(err)
		}
		c.servers[i] = srv
	}
	for i, srv := range c.servers {
		srv.Start()
		until(t, srv.Name()+" listens", func() bool { return srv.ClusterAddr() != nil })
		c.wires[i].lead(srv.ClusterAddr().String())
	}
	until(t, "the cluster has a leader that knows the others", func() bool {
		return slices.ContainsFunc(c.servers, func(srv *server.Server) bool {
			return srv.JetStreamIsLeader() && len(srv.JetStreamClusterPeers()) == len(c.servers)
		})
	})
	for _, srv := range c.servers {
		until(t, srv.Name()+" has joined", srv.JetStreamIsCurrent)
	}
}

func (c *cluster) hasLeader(stream string) bool {
	return slices.ContainsFunc(c.servers, func(srv *server.Server) bool {
		return srv.JetStreamIsStreamLeader(server.DEFAULT_GLOBAL_ACCOUNT, stream)
	})
}

func (c *cluster) hear(subject string) bool {
	return c.servers[0].GlobalAccount().SubscriptionInterest(subject)
}

func (c *cluster) agree(stream string) bool {
	first, found := held(c.servers[0], stream)
	return found && !slices.ContainsFunc(c.servers[1:], func(srv *server.Server) bool {
		other, found := held(srv, stream)
		return !found || other.Msgs != first.Msgs || other.LastSeq != first.LastSeq
	})
}

// held is what a server itself holds of a stream.
func held(srv *server.Server, stream string) (state server.StreamState, found bool) {
	info, err := srv.JszAccount(&server.JSzOptions{Account: server.DEFAULT_GLOBAL_ACCOUNT, Streams: true})
	if err != nil {
		return state, false
	}
	for _, st := range info.Streams {
		if st.Name == stream {
			return st.State, true
		}
	}
	return state, false
}

func (c *cluster) options(i int) *server.Options {
	name := fmt.Sprint("server", i+1)
	var routes []string
	for _, wire := range c.wires {
		routes = append(routes, wire.url())
	}
	return &server.Options{
		ServerName: name, Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true,
		JetStream: true, StoreDir: filepath.Join(c.dir, name),
		Cluster: server.ClusterOpts{Name: "three", Host: "127.0.0.1", Port: server.RANDOM_PORT, NoAdvertise: true},
		Routes:  server.RoutesFromStr(strings.Join(routes, ",")),
	}
}
