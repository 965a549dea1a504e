package stream

import (
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func startEmbedded(t *testing.T, c EmbeddedConfig) *Embedded {
	t.Helper()
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	e, err := StartEmbedded(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

func TestEmbedded(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data", "nats")
	e := startEmbedded(t, EmbeddedConfig{Listen: "127.0.0.1:0", Dir: dir, SyncAlways: true})
	inside := run(t, Config{InProcess: e})
	ready(t, inside)
	publish(t, inside, event(1, "a", 0))

	outside := run(t, Config{URL: e.ClientURL()})
	ready(t, outside)
	if m, err := outside.Last(soon(t), ">"); err != nil || m.ID != "a" {
		t.Errorf("over its socket: got %+v, %v", m, err)
	}

	began := time.Now()
	e.Close()
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("Close took %v", took)
	}
	e.Close()

	again := startEmbedded(t, EmbeddedConfig{Dir: dir})
	if again.ClientURL() != "" {
		t.Errorf("without a socket: URL is %s", again.ClientURL())
	}
	b := run(t, Config{InProcess: again})
	ready(t, b)
	if m, err := b.Last(soon(t), ">"); err != nil || m.ID != "a" {
		t.Errorf("after a restart: got %+v, %v", m, err)
	}
}

// What is acknowledged is on the disk: else a loss of power takes what the store does not owe any more.
func TestEmbeddedSyncsBeforeItAcknowledges(t *testing.T) {
	for _, always := range []bool{true, false} {
		e := startEmbedded(t, EmbeddedConfig{Dir: t.TempDir(), SyncAlways: always})
		if got := e.server().JetStreamConfig().SyncAlways; got != always {
			t.Errorf("sync_always is %v, want %v", got, always)
		}
	}
}

func TestEmbeddedAsksWhoComes(t *testing.T) {
	for name, row := range map[string]struct {
		server EmbeddedConfig
		right  Config
	}{
		"user and password": {EmbeddedConfig{User: "jobwatch", Password: "secret"}, Config{User: "jobwatch", Password: "secret"}},
		"token":             {EmbeddedConfig{Token: "secret"}, Config{Token: "secret"}},
	} {
		t.Run(name, func(t *testing.T) {
			row.server.Listen, row.server.Dir = "127.0.0.1:0", t.TempDir()
			e := startEmbedded(t, row.server)
			if got := Probe(soon(t), Config{URL: e.ClientURL()}); got[0].Grade != Failed || !strings.Contains(got[0].Text, "credentials refused") {
				t.Errorf("a stranger gets %q", got)
			}
			for _, way := range []Config{{URL: e.ClientURL()}, {InProcess: e}} {
				row.right.URL, row.right.InProcess = way.URL, way.InProcess
				if got := Probe(soon(t), row.right); got[0].Grade != OK {
					t.Errorf("a friend gets %q", got)
				}
			}
		})
	}
}

func TestEmbeddedDoesNotStart(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	inUse := t.TempDir()
	startEmbedded(t, EmbeddedConfig{Dir: inUse})
	blocked := t.TempDir() // where JetStream wants a directory, there is a file
	if err := os.WriteFile(filepath.Join(blocked, "jetstream"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}

	for _, row := range []struct{ listen, dir, want string }{
		{taken.Addr().String(), t.TempDir(), "nats.embedded.listen " + taken.Addr().String() + ": address already in use; stop what uses it or choose another"},
		{"192.0.2.1:4222", t.TempDir(), "nats.embedded.listen 192.0.2.1:4222: cannot assign requested address; choose another"},
		{"4222", t.TempDir(), `nats.embedded.listen "4222": write host:port, as 127.0.0.1:4222`},
		{"127.0.0.1:http-ish", t.TempDir(), `nats.embedded.listen "127.0.0.1:http-ish": port must be a number up to 65535`},
		{"", file, "nats.embedded.dir " + file + ": not a directory; let jobwatch write there or choose another"},
		{"", filepath.Join(file, "nats"), "nats.embedded.dir " + filepath.Join(file, "nats") + ": not a directory; let jobwatch write there or choose another"},
		{"", inUse, "nats.embedded.dir " + inUse + ": in use by another process; stop it or choose another directory"},
		{"", blocked, "embedded NATS server: Can't start JetStream"},
	} {
		e, err := StartEmbedded(EmbeddedConfig{Listen: row.listen, Dir: row.dir, Log: slog.New(slog.DiscardHandler)})
		if err == nil {
			e.Close()
		}
		if err == nil || !strings.HasPrefix(err.Error(), row.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("on %q in %s:\n got %v\nwant %s", row.listen, row.dir, err, row.want)
		}
	}
}

// A start that failed leaves nothing behind that would hinder the next one.
func TestEmbeddedStartsAfterAFailedStart(t *testing.T) {
	dir := t.TempDir()
	block := filepath.Join(dir, "jetstream")
	if err := os.WriteFile(block, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := StartEmbedded(EmbeddedConfig{Dir: dir, Log: slog.New(slog.DiscardHandler)}); err == nil {
		t.Fatal("started on a directory that JetStream cannot use")
	}
	if err := os.Remove(block); err != nil {
		t.Fatal(err)
	}
	startEmbedded(t, EmbeddedConfig{Dir: dir})
}

func TestTheServersLog(t *testing.T) {
	var log logbook
	l := &serverLog{log: log.logger()}
	l.Noticef("starting %d", 1)
	l.Debugf("detail")
	l.Tracef("detail")
	l.Warnf("disk is %s", "slow")
	l.Fatalf("cannot start: %v", "first")
	l.Fatalf("cannot start: %v", "second")
	if err := l.started(); err == nil || err.Error() != "cannot start: first" {
		t.Errorf("start: got %v", err)
	}
	l.Fatalf("later")
	if log.count("level=WARN") != 1 || log.count("disk is slow") != 1 || log.count("level=ERROR") != 1 || log.count("later") != 1 {
		t.Errorf("logged:\n%s", &log)
	}
}
