package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"jobwatch/internal/testing/slow"
)

// configured is a server with a configuration file, which reload writes anew.
func configured(t *testing.T, text string) (srv *server.Server, reload func(text string)) {
	t.Helper()
	file, dir := filepath.Join(t.TempDir(), "nats.conf"), t.TempDir()
	write := func(text string) {
		t.Helper()
		text = fmt.Sprintf("listen: 127.0.0.1:-1\njetstream {store_dir: %q}\n%s\n", dir, text)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(text)
	srv = startServer(t, func(o *server.Options) {
		opts, err := server.ProcessConfigFile(file)
		if err != nil {
			t.Fatal(err)
		}
		*o = *opts
		o.NoSigs, o.NoLog = true, true
	})
	return srv, func(text string) {
		t.Helper()
		write(text)
		if err := srv.Reload(); err != nil {
			t.Fatal(err)
		}
	}
}

const (
	sample   = "jobs.prod.1.client.state.running"
	everyone = `users: [{user: admin, password: x}, {user: jobwatch, password: x}]`
	quiet    = `users: [{user: admin, password: x}, {user: jobwatch, password: x, permissions: {publish: ["jobs.>", "mapped.>", "$JS.API.>"], subscribe: "_INBOX.>"}}]`
	narrow   = `users: [{user: admin, password: x}, {user: jobwatch, password: x, permissions: {publish: ["jobs.>", "$JS.API.>", "_INBOX.>"], subscribe: "_INBOX.>"}}]`
)

func TestWhereASubjectLeads(t *testing.T) {
	slow.Test(t, "6 s", "real servers, leaf nodes and accounts that map subjects")
	t.Parallel()
	account := func(users, mapping string) string {
		return "accounts {A {jetstream: enabled, " + users + "\nmappings: {" + mapping + "}}}"
	}
	imported := func(services string) string {
		return `accounts {
A {jetstream: enabled, users: [{user: admin, password: x}], exports: [{service: "$JS.API.>"}, {service: "jobs.>"}, {service: "mapped.>"}]}
B {users: [{user: jobwatch, password: x}], imports: [{service: {account: A, subject: "$JS.API.>"}}` + services + "]}}"
	}
	for _, row := range []struct {
		name, config string
		trace, takes string // words of the error; "": there is none
	}{
		{"to the stream", account(everyone, ""), "", ""},
		{"to another subject", account(everyone, `"jobs.>": "mapped.>"`),
			"goes to mapped.prod.1.client.state.running; a mapping of the NATS account A", "goes to mapped.prod.1."},
		{"to another stream", account(everyone, `"jobs.>": "others.>"`), "goes to stream OTHERS", "goes to stream OTHERS"},
		{"to nobody", account(everyone, `"jobs.>": "nobody.>"`), "goes to nobody.prod.1.", "goes to nobody.prod.1."},
		{"to the stream, untold", account(quiet, ""), ErrNoTrace.Error(), ""},
		{"to another subject, untold", account(quiet, `"jobs.>": "mapped.>"`), ErrNoTrace.Error(), "goes to mapped.prod.1."},
		{"to another subject, without the right to it", account(narrow, `"jobs.>": "mapped.>"`), "goes to mapped.prod.1.", "goes to mapped.prod.1."},
		{"to an account that does not tell", imported(`,{service: {account: A, subject: "jobs.>"}}`), ErrNoTrace.Error(), ""},
		{"to another account's other subject", imported(`,{service: {account: A, subject: "mapped.>"}, to: "jobs.>"}`),
			"goes to mapped.prod.1.", "goes to mapped.prod.1."},
		{"to no account", imported(""), ErrNoStream.Error(), "let it import the service jobs.> and commcells.>"},
	} {
		t.Run(row.name, func(t *testing.T) {
			srv, _ := configured(t, row.config)
			if _, err := administrate(t, srv).Publish(soon(t), "mapped.prod.1.client.state.running", nil); err != nil {
				t.Fatal(err)
			}
			b := use(t, srv, func(c *Config) { c.User, c.Password = "jobwatch", "x" })
			for _, asked := range []struct {
				what, want string
				err        error
			}{{"trace", row.trace, b.Trace(soon(t), sample)}, {"takes", row.takes, b.CheckRoute(soon(t), sample)}} {
				if asked.want == "" && asked.err != nil || asked.want != "" && (asked.err == nil || !strings.Contains(asked.err.Error(), asked.want)) {
					t.Errorf("%s: got %v, want %q", asked.what, asked.err, asked.want)
				}
			}
			want := Failed
			switch row.trace {
			case "":
				want = OK
			case ErrNoTrace.Error():
				want = Warning
			}
			found := Probe(soon(t), Config{URL: srv.ClientURL(), User: "jobwatch", Password: "x", Samples: []string{sample}})
			if !slices.ContainsFunc(found, func(f Finding) bool { return f.What == "subjects" && f.Grade == want }) {
				t.Errorf("check: got %v, want %s subjects", found, want)
			}
			if info, err := b.Info(soon(t)); err != nil || info.Last != 1 {
				t.Errorf("%d messages were stored (%v)", info.Last-1, err)
			}
		})
	}
}

// A server with a subscriber alone may tell of the way before the one that sent it there, and before that of the stream.
func TestServersReportInAnyOrder(t *testing.T) {
	hops := map[string]hop{}
	for name, text := range map[string]string{
		"client":     `{"hops": 2, "events": [{"kind": 0, "type": "in"}, {"kind": 1, "type": "eg"}, {"kind": 1, "type": "eg"}]}`,
		"subscriber": `{"events": [{"kind": 1, "type": "in"}, {"kind": 0, "type": "eg"}]}`,
		"stream":     `{"events": [{"kind": 1, "type": "in"}, {"type": "js", "stream": "JOBS", "subject": "` + sample + `"}]}`,
	} {
		var h hop
		if err := json.Unmarshal([]byte(text), &h); err != nil {
			t.Fatal(err)
		}
		hops[name] = h
	}
	for _, order := range [][]string{
		{"client", "subscriber", "stream"}, {"subscriber", "client", "stream"}, {"subscriber", "stream"}, {"stream"},
	} {
		w := route{stream: "JOBS", subject: sample, answer: ErrNoStream}
		left := order
		err := w.follow(func() (h hop, err error) {
			if len(left) == 0 {
				return h, ErrNoTrace
			}
			h, left = hops[left[0]], left[1:]
			return h, nil
		})
		if err != nil {
			t.Errorf("%v: got %v", order, err)
		}
	}
}

// What is stored under the subject while it is asked about leads nowhere else.
func TestASubjectInUseLeadsToTheStream(t *testing.T) {
	srv, _ := configured(t, "accounts {A {jetstream: enabled, "+quiet+"}}")
	js := administrate(t, srv)
	b := use(t, srv, func(c *Config) { c.User, c.Password = "jobwatch", "x" })
	runs(t, func(ctx context.Context) error {
		for ctx.Err() == nil {
			_, _ = js.Publish(ctx, sample, nil)
		}
		return nil
	})
	for range 100 {
		if err := b.CheckRoute(soon(t), sample); err != nil {
			t.Fatal(err)
		}
	}
}

// administrate makes the streams JOBS and OTHERS, and gives the administrator's connection.
func administrate(t *testing.T, srv *server.Server) jetstream.JetStream {
	t.Helper()
	nc, err := nats.Connect(srv.ClientURL(), nats.UserInfo("admin", "x"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	for name, subjects := range map[string][]string{"JOBS": {"jobs.>", "commcells.>", "mapped.>"}, "OTHERS": {"others.>"}} {
		if _, err := js.CreateStream(soon(t), jetstream.StreamConfig{Name: name, Subjects: subjects, Discard: jetstream.DiscardNew}); err != nil {
			t.Fatal(err)
		}
	}
	return js
}

func TestADuplicateUnderAnotherSubjectIsNotStored(t *testing.T) {
	b := use(t, startServer(t))
	if _, err := b.Publish(soon(t), event(1, "a", 0)); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Publish(soon(t), event(2, "a", 0)); !errors.Is(err, ErrBusy) {
		t.Errorf("got %v, want %v", err, ErrBusy)
	}
}

// TestMaxPayloadThatIsRaised: the server tells those who are connected nothing of it.
func TestMaxPayloadThatIsRaised(t *testing.T) {
	const account = "accounts {A {jetstream: enabled, " + everyone + "}}\n"
	srv, reload := configured(t, account)
	b := use(t, srv, func(c *Config) { c.User, c.Password = "jobwatch", "x" })
	large := event(1, "a", 0)
	large.Data = make([]byte, 10_000)
	reload(account + "max_payload: 2000")
	if _, err := b.Publish(soon(t), large); err == nil {
		t.Fatal("it is stored, though the server does not take it any more")
	}
	until(t, "it is refused", func() bool {
		_, err := b.Ready(soon(t))
		var refused *RefusedError
		if err == nil {
			_, err = b.Publish(soon(t), large)
		}
		return errors.As(err, &refused) && refused.Reason == TooLarge
	})
	reload(account + "max_payload: 100000")
	forgetAskedPayload(t, b)
	until(t, "it is stored", func() bool {
		_, err := b.Ready(soon(t))
		if err == nil {
			_, err = b.Publish(soon(t), large)
		}
		return err == nil
	})
}

// forgetAskedPayload has the server asked again at once.
func forgetAskedPayload(t *testing.T, b *Broker) {
	s, err := b.current(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.askedPayload = time.Time{}
}

// TestReadersAreRemoved: also where whoever reads is gone.
func TestReadersAreRemoved(t *testing.T) {
	srv := startServer(t)
	b := use(t, srv)
	if _, err := b.Publish(soon(t), event(1, "a", 0)); err != nil {
		t.Fatal(err)
	}
	js := admin(t, b)
	consumers := func() int {
		st, err := js.Stream(soon(t), "JOBS")
		if err != nil {
			t.Fatal(err)
		}
		return st.CachedInfo().State.Consumers
	}
	ctx, cancel := context.WithCancel(t.Context())
	enough := errors.New("enough")
	for range 5 {
		if err := b.Follow(ctx, 1, func(Message) error { return enough }); !errors.Is(err, enough) {
			t.Fatal(err)
		}
	}
	if n := consumers(); n != 0 {
		t.Errorf("%d consumers are left behind readers that had enough", n)
	}
	err := b.Follow(ctx, 1, func(Message) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if n := consumers(); n != 0 {
		t.Errorf("%d consumers are left behind a reader whose context ended", n)
	}
}
