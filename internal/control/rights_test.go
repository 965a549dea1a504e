package control

import (
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"jobwatch/internal/stream"
)

// TestLookingAndNotTouching: what docs/nats.md says of rights holds on a real server. Who may look cannot track, and who may do
// neither gets no answer at all.
func TestLookingAndNotTouching(t *testing.T) {
	inbox := &server.SubjectPermission{Allow: []string{"_INBOX.>"}}
	ns, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: t.TempDir(), NoLog: true, NoSigs: true,
		Users: []*server.User{
			{Username: "watcher", Password: "w"},
			{Username: "reader", Password: "r", Permissions: &server.Permissions{
				Publish: &server.SubjectPermission{Allow: []string{"jobwatch.*.job", "jobwatch.*.jobs", "jobwatch.*.stats"}}, Subscribe: inbox}},
			{Username: "stranger", Password: "s", Permissions: &server.Permissions{
				Publish: &server.SubjectPermission{Allow: []string{"other.>"}}, Subscribe: inbox}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ns.Start()
	t.Cleanup(func() { ns.Shutdown(); ns.WaitForShutdown() })
	if !ns.ReadyForConnections(time.Minute) {
		t.Fatal("NATS does not start")
	}
	w := newWatcher(t, filepath.Join(t.TempDir(), "watcher.db"))
	broker := stream.New(stream.Config{URL: ns.ClientURL(), User: "watcher", Password: "w", Log: slog.New(slog.DiscardHandler)})
	var running sync.WaitGroup
	t.Cleanup(running.Wait)
	ctx := t.Context()
	running.Go(func() { broker.Run(ctx) })
	running.Go(func() { broker.Serve(ctx, Service(w.Admin, "", "v1.2.3")) })

	denied := make(chan string, 10)
	as := func(user string) *requests {
		nc, err := nats.Connect(ns.ClientURL(), nats.UserInfo(user, user[:1]), nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			denied <- err.Error()
		}))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(nc.Close)
		return &requests{watcher: w, t: t, nc: nc}
	}
	reader, stranger := as("reader"), as("stranger")
	if _, code, text := reader.ask("jobwatch.prod.job", `{"job": 1248}`); code != "404" {
		t.Errorf("who may look at a job that is not known gets %s %s", code, text)
	}
	for _, verb := range []string{"jobs", "stats"} {
		if answer, code, text := reader.ask("jobwatch.prod."+verb, ""); code != "" || len(answer) == 0 {
			t.Errorf("%s: %s %s", verb, code, text)
		}
	}
	for _, row := range []struct {
		who *requests
		to  string
	}{{reader, "track"}, {reader, "untrack"}, {stranger, "job"}, {stranger, "jobs"}, {stranger, "stats"}, {stranger, "track"}} {
		subject := "jobwatch.prod." + row.to
		if err := row.who.nc.PublishRequest(subject, nats.NewInbox(), []byte(`{"job": 1248}`)); err != nil {
			t.Fatal(err)
		}
		select {
		case said := <-denied:
			if !strings.Contains(strings.ToLower(said), "permissions violation") || !strings.Contains(said, subject) {
				t.Errorf("%s: %s", subject, said)
			}
		case <-time.After(time.Minute):
			t.Errorf("%s: nothing is denied", subject)
		}
	}
	if m, err := reader.nc.Request("jobwatch.prod.job", []byte(`{"job": 1248}`), time.Minute); err != nil || m.Header.Get(micro.ErrorCodeHeader) != "404" {
		t.Errorf("the job is tracked all the same: %v", err)
	}
}
