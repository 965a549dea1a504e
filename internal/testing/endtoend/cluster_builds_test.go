package endtoend

import (
	"errors"
	"io"
	stdlog "log"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"os/exec"
	"strings"
)

// olderWatcher names the program of an older version, which the members of TestClusterRolls run at first.
const olderWatcher = "JOBWATCH_OLDER_WATCHER"

// build is a version of the watcher.
type build struct {
	program string // empty: the one that this test binary plays
	shares  bool   // it takes part in the cluster
}

// present is the version under test.
var present = build{shares: true}

// older is the version that olderWatcher names; without it, this one as it is where it is told of no cluster.
func (w *clusterWorld) older() build {
	program := os.Getenv(olderWatcher)
	if program == "" {
		return build{}
	}
	said, err := exec.CommandContext(w.t.Context(), program, "version").Output()
	commands, err2 := exec.CommandContext(w.t.Context(), program, "help").Output()
	if err := errors.Join(err, err2); err != nil {
		w.t.Fatalf("%s=%s: %v", olderWatcher, program, err)
	}
	b := build{program: program, shares: strings.Contains(string(commands), "\n  cluster ")}
	w.t.Logf("the older watcher is %s; it knows the cluster: %v", strings.TrimSpace(string(said)), b.shares)
	return b
}

// runs says which version a member runs from its next start on.
func (w *clusterWorld) runs(m *member, b build) {
	w.t.Helper()
	w.configure(m, b.shares)
	if m.program = b.program; b.program != "" && m.way == "" {
		m.way = w.wayOf(m)
		m.env = append(m.env, "HTTP_PROXY="+m.way)
	}
}

// wayOf is an HTTP proxy that leads a member to its own address of each CommServe. No other program asks the test's name
// server.
func (w *clusterWorld) wayOf(m *member) (url string) {
	leads := func(r *httputil.ProxyRequest) { r.Out.URL.Host = loopback(m.who) + ":" + r.In.URL.Port() }
	srv := httptest.NewServer(&httputil.ReverseProxy{Rewrite: leads, ErrorLog: stdlog.New(io.Discard, "", 0)})
	w.t.Cleanup(srv.Close)
	return srv.URL
}
