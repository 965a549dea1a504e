package endtoend

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// serveOneOfThree is the test binary as one of three NATS servers: brokerofthree NAME DIR ADDRESS CLUSTERADDRESS ROUTES. It ends with
// its standard input. It tells nobody of the others: who is connected to it is so to it alone.
func serveOneOfThree() {
	options, err := ofThree(os.Args[1:])
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	srv, err := server.NewServer(options)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	srv.Start()
	if !srv.ReadyForConnections(time.Minute) {
		fmt.Println("not ready")
		os.Exit(1)
	}
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
	srv.Shutdown()
	srv.WaitForShutdown()
	os.Exit(0)
}

func ofThree(args []string) (*server.Options, error) {
	options := &server.Options{
		ServerName: args[0], NoSigs: true, NoLog: true, JetStream: true, StoreDir: args[1],
		Cluster: server.ClusterOpts{Name: "three", NoAdvertise: true},
		Routes:  server.RoutesFromStr(args[4]),
	}
	_, err := fmt.Sscanf(strings.ReplaceAll(args[2]+" "+args[3], ":", " "), "%s %d %s %d", &options.Host, &options.Port, &options.Cluster.Host, &options.Cluster.Port)
	return options, err
}

// oneOfThree is a NATS server of three, in a process of its own.
type oneOfThree struct {
	t       *testing.T
	name    string
	dir     string
	address string
	route   string // where the others come to
	routes  string // of all
	child   *exec.Cmd
	in      io.Closer
}

func newThree(t *testing.T, dir string) (all []*oneOfThree) {
	var routes []string
	for n := range 3 {
		name := fmt.Sprintf("server%d", n+1)
		s := &oneOfThree{t: t, name: name, dir: filepath.Join(dir, name), address: keptAddress(t), route: keptAddress(t)}
		routes = append(routes, "nats://"+s.route)
		all = append(all, s)
	}
	for _, s := range all {
		s.routes = strings.Join(routes, ",")
		t.Cleanup(s.kill)
		s.start()
	}
	return all
}

// start starts it if it is stopped.
func (s *oneOfThree) start() {
	s.t.Helper()
	if s.child != nil {
		return
	}
	child := exec.Command("brokerofthree", s.name, s.dir, s.address, s.route, s.routes)
	in, err := child.StdinPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	out, err := child.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.child, s.in = child, in
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		s.t.Fatalf("%s does not start: %s %v", s.name, strings.TrimSpace(line), err)
	}
}

func (s *oneOfThree) kill() {
	if s.child != nil {
		_ = s.child.Process.Kill()
		_ = s.child.Wait()
		s.child = nil
	}
}

// whole waits until each of the three servers has all of each stream.
func (w *clusterWorld) whole() {
	w.t.Helper()
	got := ""
	w.until("three NATS servers have all that is stored", func() bool {
		js, end := w.connect()
		defer end()
		for _, name := range []string{"JOBS", bucketName} {
			ctx, cancel := context.WithTimeout(w.t.Context(), 10*time.Second)
			defer cancel()
			s, err := js.Stream(ctx, name)
			if err != nil {
				got = fmt.Sprint(name, ": ", err)
				return false
			}
			c := s.CachedInfo().Cluster
			if c == nil || len(c.Replicas) != 2 || !c.Replicas[0].Current || !c.Replicas[1].Current {
				got = fmt.Sprintf("%s: %+v", name, c)
				return false
			}
		}
		return true
	}, func() string { return got })
}
