package publish

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"jobwatch/internal/stream"
)

// accounts is a NATS server whose accounts are in a file, and the stream JOBS there, of which an administrator has made
// more than jobwatch would.
type accounts struct {
	t    *testing.T
	file string
	dir  string
	srv  *server.Server
	js   jetstream.JetStream
}

const (
	noMapping = ""
	full      = `users: [{user: jobwatch, password: x}, {user: admin, password: x}]`
)

func newAccounts(t *testing.T, account string) *accounts {
	a := &accounts{t: t, dir: t.TempDir()}
	a.file = filepath.Join(a.dir, "nats.conf")
	a.write(account)
	opts, err := server.ProcessConfigFile(a.file)
	if err != nil {
		t.Fatal(err)
	}
	opts.NoSigs, opts.NoLog = true, true
	if a.srv, err = server.NewServer(opts); err != nil {
		t.Fatal(err)
	}
	a.srv.Start()
	t.Cleanup(func() { a.srv.Shutdown(); a.srv.WaitForShutdown() })
	if !a.srv.ReadyForConnections(10 * time.Second) {
		t.Fatal("server takes no connections")
	}
	nc, err := nats.Connect(a.srv.ClientURL(), nats.UserInfo("admin", "x"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	if a.js, err = jetstream.New(nc); err != nil {
		t.Fatal(err)
	}
	_, err = a.js.CreateStream(t.Context(), jetstream.StreamConfig{
		Name: "JOBS", Subjects: []string{"jobs.>", "commcells.>", "elsewhere.>"}, Discard: jetstream.DiscardNew,
		Duplicates: 200 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// write writes the file anew; account is what stands in that of the stream.
func (a *accounts) write(account string) {
	a.t.Helper()
	text := fmt.Sprintf("listen: 127.0.0.1:-1\njetstream {store_dir: %q}\naccounts {\n%s\n}\n", filepath.Join(a.dir, "js"), account)
	if err := os.WriteFile(a.file, []byte(text), 0o600); err != nil {
		a.t.Fatal(err)
	}
}

func (a *accounts) reload(account string) {
	a.t.Helper()
	a.write(account)
	if err := a.srv.Reload(); err != nil {
		a.t.Fatal(err)
	}
}

func mapped(mapping string) string {
	return "A {jetstream: enabled, " + full + "\n mappings: {" + mapping + "}}"
}

func (a *accounts) broker() *stream.Broker {
	b := stream.New(stream.Config{URL: a.srv.ClientURL(), User: "jobwatch", Password: "x"})
	run(a.t, b.Run)
	return b
}

// watcher has a store of its own.
func (a *accounts) watcher() *watcher {
	w := &world{t: a.t, dir: a.dir}
	return w.watcher("a.db")
}

// stored is all that the stream holds, as "subject message-id".
func (a *accounts) stored() (subjects []string) {
	a.t.Helper()
	js, err := a.js.Stream(a.t.Context(), "JOBS")
	if err != nil {
		a.t.Fatal(err)
	}
	state := js.CachedInfo().State
	for sequence := max(state.FirstSeq, 1); sequence <= state.LastSeq; sequence++ {
		m, err := js.GetMsg(a.t.Context(), sequence)
		if err != nil {
			continue // deleted
		}
		subjects = append(subjects, m.Subject)
	}
	return subjects
}

// under are the subjects stored that begin with a prefix.
func (a *accounts) under(prefix string) (subjects []string) {
	for _, s := range a.stored() {
		if strings.HasPrefix(s, prefix) {
			subjects = append(subjects, s)
		}
	}
	return subjects
}

func (a *accounts) consumers() int {
	a.t.Helper()
	js, err := a.js.Stream(a.t.Context(), "JOBS")
	if err != nil {
		a.t.Fatal(err)
	}
	return js.CachedInfo().State.Consumers
}
