package cli

import (
	"bytes"
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"jobwatch/internal/stream"
)

// TestFollowerSaysACauseOnce has a stream that can be found and not be read: however often that is tried, one line says so.
func TestFollowerSaysACauseOnce(t *testing.T) {
	server, err := stream.StartEmbedded(stream.EmbeddedConfig{Listen: "127.0.0.1:0", Dir: filepath.Join(t.TempDir(), "nats")})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	nc, err := nats.Connect(server.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	_, err = js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "JOBS", Subjects: []string{"jobs.>", "commcells.>"}})
	if err != nil {
		t.Fatal(err)
	}
	var tries atomic.Int32
	if _, err := nc.Subscribe("$JS.API.CONSUMER.CREATE.>", func(*nats.Msg) { tries.Add(1) }); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	f := follower{
		settings: stream.Config{URL: server.ClientURL(), ReadOnly: true, Log: slog.New(slog.DiscardHandler)},
		start:    stream.Start{Subjects: []string{"jobs..>"}}, // which no consumer can have
		log:      slog.New(slog.NewTextHandler(&said, nil)),
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	for deadline := time.Now().Add(time.Minute); tries.Load() < 3 && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
	}
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(said.String(), "\n"); n != 1 || tries.Load() < 3 {
		t.Errorf("%d lines of %d tries:\n%s", n, tries.Load(), said.String())
	}
}
