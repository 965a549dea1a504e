package daemon

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"jobwatch/internal/config"
	"jobwatch/internal/event"
	"jobwatch/internal/job"
	"jobwatch/internal/store"
	"jobwatch/internal/stream"
)

// TestTheBrokerKnowsHowLongEventsWait: a stream that is edited to forget sooner than what waits comes to it is noticed.
func TestTheBrokerKnowsHowLongEventsWait(t *testing.T) {
	server, err := stream.StartEmbedded(stream.EmbeddedConfig{Listen: "127.0.0.1:0", Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	st, err := store.Open(filepath.Join(t.TempDir(), "watcher.db"), event.NewMinter(nil))
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	then := time.Now().Add(-61 * time.Minute)
	seen := job.Snapshot{CommCell: "prod", Number: 71, State: "Running"}
	err = st.Commit(store.PollResult{
		Seen:    job.Observation{Snapshot: seen, Asked: then, Answered: then},
		Changes: []job.Change{{Kind: job.KindState, Detail: "running", To: "Running"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	c := &config.Config{NATS: config.NATS{URL: server.ClientURL(), Stream: "JOBS", Replicas: 1, MaxAge: 2 * time.Hour}}
	broker, err := newBroker(c, nil, st, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- broker.Run(ctx) }()
	defer func() { stop(); <-ended }()
	if _, err := broker.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	nc, err := nats.Connect(server.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	is, err := js.Stream(ctx, "JOBS")
	if err != nil {
		t.Fatal(err)
	}
	edited := is.CachedInfo().Config
	edited.MaxAge = time.Hour
	if _, err := js.UpdateStream(ctx, edited); err != nil {
		t.Fatal(err)
	}
	if _, err := broker.Ready(ctx); err == nil || !strings.Contains(err.Error(), "max_age is 1h0m0s, and events wait longer than that") {
		t.Errorf("got %v", err)
	}
}
