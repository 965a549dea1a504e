package stream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"jobwatch/internal/testing/ports"
)

func TestTheConnectionComesBack(t *testing.T) {
	dir, port := t.TempDir(), ports.Free(t)
	at := func(o *server.Options) { o.Port, o.StoreDir = port, dir }
	srv := startServer(t, at)
	b := use(t, srv)
	lost := ready(t, b)
	first := publish(t, b, event(1, "a", 0))

	srv.Shutdown()
	srv.WaitForShutdown()
	await(t, "the loss", lost)
	until(t, "disconnected", func() bool { return !b.Connected() })
	if _, err := b.Publish(soon(t), event(1, "b", first)); !errors.Is(err, ErrDisconnected) {
		t.Errorf("publish while NATS is away: got %v, want %v", err, ErrDisconnected)
	}
	until(t, "the reason is nobody at the address", func() bool {
		return strings.Contains(fmt.Sprint(b.LastError()), "no NATS server answers there")
	})

	startServer(t, at)
	until(t, "connected", b.Connected)
	if _, err := b.Publish(soon(t), event(1, "b", first)); !errors.Is(err, ErrDisconnected) {
		t.Errorf("publish before the new connection was found ready: got %v, want %v", err, ErrDisconnected)
	}
	ready(t, b)
	if err := b.LastError(); err != nil {
		t.Errorf("once ready: last error is %v", err)
	}
	if second := publish(t, b, event(1, "b", first)); second != first+1 {
		t.Errorf("got sequence %d, want %d", second, first+1)
	}
}

// A request that the server never answers ends when the connection is lost, not when its time is up.
func TestALostConnectionEndsWhatIsUnderWay(t *testing.T) {
	srv := startServer(t)
	b := use(t, srv)
	s, err := b.usable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, done := s.track(context.Background(), "nobody.answers")
	defer done()
	srv.Shutdown()
	await(t, "the end of the request", ctx.Done())
	if err := cause(ctx, ctx.Err()); !errors.Is(err, ErrDisconnected) {
		t.Errorf("got %v, want %v", err, ErrDisconnected)
	}
	if late, done := s.track(context.Background(), "x"); late.Err() == nil {
		t.Error("a request on a lost connection is not ended")
	} else {
		done()
	}
}

func TestReasonsAreLoggedOnceWithoutSecrets(t *testing.T) {
	srv := startServer(t, user("jobwatch"))
	for name, row := range map[string]struct {
		cfg  Config
		want string
	}{
		"wrong password": {Config{User: "jobwatch", Password: "hunter2"}, "credentials refused; mend nats.user"},
		"password in the URL": {Config{URL: strings.Replace(srv.ClientURL(), "://", "://jobwatch:hunter2@", 1)},
			"credentials refused; mend nats.user"},
		"token in the URL":  {Config{URL: strings.Replace(srv.ClientURL(), "://", "://hunter2@", 1)}, "credentials refused"},
		"nobody there":      {Config{URL: "nats://jobwatch:hunter2@127.0.0.1:1"}, "nats://127.0.0.1:1: no NATS server answers there"},
		"no URL":            {Config{URL: "nats://jobwatch:hunter2@127.0.0.1:port"}, "nats.url: not a URL with host and port"},
		"slash in password": {Config{URL: "nats://jobwatch:hunter2/x@127.0.0.1:4222"}, "nats.url: not a URL with host and port"},
		"no seed file":      {Config{NKeyFile: "/nowhere/seed"}, "/nowhere/seed: no such file"},
		"no creds file":     {Config{CredsFile: "/nowhere/creds"}, "/nowhere/creds: no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log logbook
			cfg := row.cfg
			cfg.Log = log.logger()
			if cfg.URL == "" {
				cfg.URL = srv.ClientURL()
			}
			b := run(t, cfg)
			until(t, "a reason is known", func() bool { return b.LastError() != nil })
			b.forget()
			until(t, "it was tried again", func() bool { return b.LastError() != nil })
			if err := b.LastError(); !strings.Contains(err.Error(), row.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %v, want %s", err, row.want)
			}
			if n := log.count("level=WARN"); n != 1 || strings.Contains(log.String(), "hunter2") {
				t.Errorf("logged %d lines, want one, without a password:\n%s", n, &log)
			}
			if b.Connected() {
				t.Error("connected")
			}
		})
	}
}

func TestCredentials(t *testing.T) {
	for name, row := range map[string]struct {
		server func(*server.Options)
		config func(*Config)
	}{
		"user and password": {user("jobwatch"), func(c *Config) { c.User, c.Password = "jobwatch", "secret" }},
		"token":             {func(o *server.Options) { o.Authorization = "secret" }, func(c *Config) { c.Token = "secret" }},
		"in the URL": {user("jobwatch"), func(c *Config) {
			c.URL = strings.Replace(c.URL, "://", "://jobwatch:secret@", 1)
		}},
		"the second of two servers": {user("jobwatch"), func(c *Config) {
			c.URL, c.User, c.Password = "nats://127.0.0.1:1, "+c.URL, "jobwatch", "secret"
		}},
		"no scheme": {user("jobwatch"), func(c *Config) {
			c.URL, c.User, c.Password = strings.TrimPrefix(c.URL, "nats://"), "jobwatch", "secret"
		}},
	} {
		t.Run(name, func(t *testing.T) {
			b := use(t, startServer(t, row.server), row.config)
			publish(t, b, event(1, "a", 0))
		})
	}
}

func TestFoundServersTakeTheConfiguredUser(t *testing.T) {
	got, err := Config{URL: "nats://u:p@a:4222,b:4222"}.servers([]string{"nats://c:4222"})
	if err != nil {
		t.Fatal(err)
	}
	var text []string
	for _, u := range got {
		text = append(text, u.String())
	}
	if want := "nats://u:p@a:4222 nats://b:4222 nats://u:p@c:4222"; strings.Join(text, " ") != want {
		t.Errorf("got %s, want %s", text, want)
	}
	if hosts(got) != "nats://a:4222,nats://b:4222,nats://c:4222" {
		t.Errorf("hosts: %s", hosts(got))
	}
}

func TestRefusedRight(t *testing.T) {
	for text, want := range map[string]string{
		`nats: permissions violation: Permissions Violation for Publish to "jobs.prod.1.fr\u00fc.x"`:            "Publish jobs.prod.1.frü.x",
		`nats: permissions violation: Permissions Violation for Subscription to "_INBOX.a.*" using queue "q q"`: "Subscription _INBOX.a.*",
		`nats: something else`: " ",
	} {
		if action, subject := refusedRight(text); action+" "+subject != want {
			t.Errorf("%s: got %s %s, want %s", text, action, subject, want)
		}
	}
}

// Who is told that a right lacks takes the broker's lock, which others hold when they take the session's.
func TestALackIsSaidWithoutTheLock(t *testing.T) {
	s := newSession()
	said := 0
	s.lacks = func(string, error) {
		if said++; s.mu.TryLock() {
			s.mu.Unlock()
		} else {
			t.Error("the session is locked")
		}
	}
	for _, right := range []string{`Subscription to "jobwatch.>"`, `Publish to "_INBOX.a.b"`, `Publish to "$JS.API.CONSUMER.DELETE.JOBS.a"`} {
		s.onError(nil, nil, fmt.Errorf("%w: Permissions Violation for %s", nats.ErrPermissionViolation, right))
	}
	if said != 3 {
		t.Errorf("said %d times, want 3", said)
	}
}

// A right that is missing for a request which nobody waits for any more says nothing of where a publish led.
func TestALateRefusalMisleadsNoPublish(t *testing.T) {
	for subject, want := range map[string]string{
		"_INBOX.a.b": errNoAnswer.Error(), "$JS.API.CONSUMER.MSG.NEXT.JOBS.a": errNoAnswer.Error(),
		"mapped.prod.1.client.state.running": "goes to mapped.prod.1.",
	} {
		s := newSession()
		s.onError(nil, nil, fmt.Errorf("%w: Permissions Violation for Publish to %q", nats.ErrPermissionViolation, subject))
		if err := s.explainNoAnswer("JOBS", sample, errNoAnswer); !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", subject, err, want)
		}
	}
}

// forget is for tests that wait for the next try.
func (b *Broker) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lastErr = nil
}
