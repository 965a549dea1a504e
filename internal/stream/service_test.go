package stream

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"jobwatch/internal/testing/ports"
)

// echo answers with what it was asked.
func echo(subjects ...string) Service {
	return Service{Name: "echo", Version: "devel", Endpoints: func() []Endpoint {
		var all []Endpoint
		for _, subject := range subjects {
			all = append(all, Endpoint{strings.ReplaceAll(subject, ".", "-"), subject, func(_ context.Context, request []byte) ([]byte, error) {
				switch string(request) {
				case "no":
					return nil, &ServiceError{404, "none\r\nsuch"}
				case "fail":
					return nil, errors.New("broken")
				case "large":
					return make([]byte, 2<<20), nil
				}
				return request, nil
			}})
		}
		return all
	}}
}

// ask waits until somebody answers.
func ask(t *testing.T, nc *nats.Conn, subject, text string) *nats.Msg {
	t.Helper()
	var m *nats.Msg
	until(t, subject+" is answered", func() (answered bool) {
		var err error
		m, err = nc.Request(subject, []byte(text), 5*time.Second)
		return err == nil
	})
	return m
}

func client(t *testing.T, srv *server.Server, opts ...nats.Option) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(srv.ClientURL(), opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

func TestRequestsAreAnswered(t *testing.T) {
	srv := startServer(t)
	b := use(t, srv)
	runs(t, func(ctx context.Context) error { return b.Serve(ctx, echo("echo.prod")) })
	nc := client(t, srv)
	for text, want := range map[string]string{"hello": "", "no": "404 none such", "fail": "500 broken", "large": "500 the answer has 2097152 bytes"} {
		m := ask(t, nc, "echo.prod", text)
		got := strings.TrimSpace(m.Header.Get(micro.ErrorCodeHeader) + " " + m.Header.Get(micro.ErrorHeader))
		if !strings.HasPrefix(got, want) || want == "" && string(m.Data) != text {
			t.Errorf("%s: got %q and %.20q, want %q", text, got, m.Data, want)
		}
	}
	if m := ask(t, nc, "$SRV.INFO.echo", ""); !strings.Contains(string(m.Data), `"version":"0.0.0"`) {
		t.Errorf("info: %s", m.Data)
	}
}

func TestRequestsAreAnsweredOnTheNextConnection(t *testing.T) {
	dir, port := t.TempDir(), ports.Free(t)
	at := func(o *server.Options) { o.Port, o.StoreDir = port, dir }
	srv := startServer(t, at)
	b := use(t, srv)
	runs(t, func(ctx context.Context) error { return b.Serve(ctx, echo("echo.prod")) })
	ask(t, client(t, srv), "echo.prod", "before")
	srv.Shutdown()
	srv.WaitForShutdown()
	until(t, "disconnected", func() bool { return !b.Connected() })
	ask(t, client(t, startServer(t, at)), "echo.prod", "after")
}

// A user without the right to answer requests, as all were before there were any, has all else.
func TestWithoutTheRightToAnswer(t *testing.T) {
	has := documented(t, "A watcher")
	srv, _ := restricted(t, has.without("subscribe jobwatch.>").without("subscribe $SRV.>"))
	var log logbook
	b := use(t, srv, func(c *Config) { c.User, c.Password, c.Log = "jobwatch", "x", log.logger() })
	runs(t, func(ctx context.Context) error { return b.Serve(ctx, echo("jobwatch.prod.job", "jobwatch.prod.jobs")) })
	until(t, "it is said", func() bool { return log.count("requests over NATS are not answered") > 0 })
	fill(t, b, 1)
	if n := log.count("not answered"); n != 1 {
		t.Errorf("said %d times: %s", n, log.String())
	}
}

func TestSendSaysThatThereIsNoRight(t *testing.T) {
	srv, _ := restricted(t, documented(t, "A watcher"))
	b := use(t, srv, func(c *Config) { c.User, c.Password = "jobwatch", "x" })
	var refused *RefusedError
	if err := b.Send(soon(t), "replay.it", nil, nil); !errors.As(err, &refused) {
		t.Errorf("got %v", err)
	}
	if err := b.Send(soon(t), "_INBOX.x", nil, nil); err != nil {
		t.Error(err)
	}
}
