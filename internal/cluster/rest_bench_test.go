package cluster

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"jobwatch/internal/stream"
)

// BenchmarkASecondAtRest is what a second costs three members of six CommCells, with the server that they meet at: three
// beats, and what each reads of the others. A thousandth of a second is a thousandth of a core.
func BenchmarkASecondAtRest(b *testing.B) {
	server, err := stream.StartEmbedded(stream.EmbeddedConfig{Listen: "127.0.0.1:0", Dir: b.TempDir(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(server.Close)
	var all []*Member
	for i := range 3 {
		all = append(all, member3(b, server, i))
	}
	for range 5 {
		second(b, all)
	}
	for b.Loop() {
		second(b, all)
	}
}

func member3(b *testing.B, server *stream.Embedded, i int) *Member {
	broker := stream.New(stream.Config{
		URL: server.ClientURL(), Log: slog.New(slog.DiscardHandler),
	})
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = broker.Run(ctx) }()
	b.Cleanup(func() { stop(); <-ended })
	soon, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if _, err := broker.Ready(soon); err != nil {
		b.Fatal(err)
	}
	w := &watcher{settings: map[string]string{}, polls: map[string]bool{}, facts: map[string]Facts{}, marks: map[JobKey]Hand{}}
	for cell := range 6 {
		w.settings[fmt.Sprint("c", cell)] = "0123abcd"
	}
	return New(Config{
		Instance: fmt.Sprint("w", i), Store: fmt.Sprint("s", i), Epoch: fmt.Sprint("e", i), Version: "test", Host: "host.example.com",
		Bucket: broker.Bucket("JOBS_cluster"), Work: w, Log: slog.New(slog.DiscardHandler),
	})
}

func second(b *testing.B, all []*Member) {
	for _, m := range all {
		m.ticks++
		m.board.tick()
		m.due = true
		if err := m.pass(b.Context(), true); err != nil || m.View().Trouble != "" {
			b.Fatal(err, m.View().Trouble)
		}
	}
}
