package stream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"jobwatch/internal/testing/slow"
)

// Limits within which a reader can do its work are kept to.
func TestReadingWithinTheLimits(t *testing.T) {
	for name, row := range map[string]struct {
		server func(*server.Options)
		stream func(*jetstream.StreamConfig)
	}{
		"inactive_threshold": {stream: func(c *jetstream.StreamConfig) { c.ConsumerLimits.InactiveThreshold = time.Second }},
		"max_ack_pending":    {stream: func(c *jetstream.StreamConfig) { c.ConsumerLimits.MaxAckPending = 1 }},
		"max_request_batch":  {server: func(o *server.Options) { o.JetStreamLimits.MaxRequestBatch = 3 }},
		"max_consumers":      {stream: func(c *jetstream.StreamConfig) { c.MaxConsumers = consumersNeeded }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := startServer(t, orNothing(row.server))
			cfg := Config{}.withDefaults().newStream()
			if row.stream != nil {
				row.stream(&cfg)
			}
			makeStream(t, admin(t, run(t, Config{URL: srv.ClientURL()})), cfg)
			for _, f := range Probe(soon(t), Config{URL: srv.ClientURL()}) {
				if f.Grade == Failed {
					t.Errorf("check says %s: %s", f.What, f.Text)
				}
			}
			b := use(t, srv)
			for _, f := range Probe(soon(t), Config{URL: srv.ClientURL()}) {
				if f.Grade == Failed {
					t.Errorf("check beside a watcher says %s: %s", f.What, f.Text)
				}
			}
			fill(t, b, 10)
			read := 0
			if last, err := b.Scan(soon(t), 0, func(Message) error { read++; return nil }); err != nil || last != 10 || read != 10 {
				t.Errorf("read %d up to %d (%v), want 10", read, last, err)
			}
		})
	}
}

// Limits that keep us from reading are said by Ready, at the first start already, and by check, which makes nothing.
func TestLimitsThatKeepFromReading(t *testing.T) {
	const full = "stream JOBS cannot be read: the watcher needs 3 consumers, and the limit of the stream, the account or the server leaves fewer"
	for name, row := range map[string]struct {
		server  func(*server.Options)
		stream  func(*jetstream.StreamConfig)
		account map[string]server.JetStreamAccountLimits
		taken   int // consumers of others
		want    string
		check   string // where it says something else; ok: it cannot know
	}{
		"the stream's max_consumers reached": {
			stream: func(c *jetstream.StreamConfig) { c.MaxConsumers = 5 }, taken: 3, want: full},
		"the account's max_consumers reached": {
			account: map[string]server.JetStreamAccountLimits{"": {MaxMemory: -1, MaxStore: -1, MaxStreams: -1, MaxConsumers: 5}}, taken: 3, want: full},
		"the server's default reached": {
			server: func(o *server.Options) { o.JetStreamLimits.DefaultMaxConsumers = 5 }, taken: 3, want: full, check: "ok"},
		"no right": {
			server: user("jobwatch", "$JS.API.CONSUMER.CREATE.>"), want: "no right; allow jobwatch's NATS user to publish to it"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := startServer(t, orNothing(row.server))
			if row.account != nil {
				if err := srv.GlobalAccount().UpdateJetStreamLimits(row.account); err != nil {
					t.Fatal(err)
				}
			}
			cfg := Config{URL: srv.ClientURL(), User: "jobwatch", Password: "secret"}
			js := admin(t, run(t, cfg))
			is := cfg.withDefaults().newStream()
			if row.stream != nil {
				row.stream(&is)
			}
			makeStream(t, js, is)
			for i := range row.taken {
				if _, err := js.CreateConsumer(soon(t), "JOBS", jetstream.ConsumerConfig{Durable: fmt.Sprint("other", i)}); err != nil {
					t.Fatal(err)
				}
			}
			said := ""
			for _, f := range Probe(soon(t), cfg) {
				if f.Grade == Failed {
					said += f.Text + "\n"
				}
			}
			if row.check == "ok" && said != "" || row.check == "" && !strings.Contains(said, row.want) {
				t.Errorf("check says %q, want %q", said, row.want)
			}
			b := run(t, cfg)
			_, err := b.Ready(soon(t))
			var misfit *MisfitError
			if !errors.As(err, &misfit) || !strings.Contains(err.Error(), row.want) {
				t.Errorf("ready: got %v, want a misfit: %s", err, row.want)
			}
			if is, err := js.Stream(soon(t), "JOBS"); err != nil || is.CachedInfo().State.Consumers != row.taken {
				t.Errorf("the stream has %d consumers (%v), want %d", is.CachedInfo().State.Consumers, err, row.taken)
			}
			for i := range row.taken {
				if err := js.DeleteConsumer(soon(t), "JOBS", fmt.Sprint("other", i)); err != nil {
					t.Fatal(err)
				}
			}
			if row.taken > 0 {
				ready(t, b)
			}
		})
	}
}

// Where all that are needed can read, one more that cannot is no reason to stop.
func TestAReaderTooManyRefutesNothing(t *testing.T) {
	b := use(t, startServer(t))
	fill(t, b, 1)
	ready(t, b)
	changeStream(t, b, func(c *jetstream.StreamConfig) { c.MaxConsumers = consumersNeeded })
	ctx, end := context.WithCancel(t.Context())
	reads := make(chan struct{})
	var group sync.WaitGroup
	for range consumersNeeded {
		group.Go(func() {
			_ = b.Follow(ctx, 0, func(Message) error { reads <- struct{}{}; return nil })
		})
		await(t, "a message", reads)
	}
	_, err := b.Scan(soon(t), 0, func(Message) error { return nil })
	if err == nil || errors.As(err, new(*MisfitError)) || !strings.Contains(err.Error(), "is read by as many as max_consumers allows") {
		t.Errorf("one reader too many: %v", err)
	}
	if err := b.Usable(); err != nil {
		t.Errorf("usable: %v", err)
	}
	end()
	group.Wait()
	if _, err := b.Scan(soon(t), 0, func(Message) error { return nil }); err != nil {
		t.Errorf("when they have ended: %v", err)
	}
}

// Where the last consumer is taken by others under way, what then cannot be read does not fit any more.
func TestTheLastConsumerIsTakenUnderWay(t *testing.T) {
	b := use(t, startServer(t))
	fill(t, b, 1)
	refuted := ready(t, b)
	changeStream(t, b, func(c *jetstream.StreamConfig) { c.MaxConsumers = consumersNeeded })
	js := admin(t, b)
	for i := range consumersNeeded {
		if _, err := js.CreateConsumer(soon(t), "JOBS", jetstream.ConsumerConfig{Durable: fmt.Sprint("other", i)}); err != nil {
			t.Fatal(err)
		}
	}
	const want = "stream JOBS cannot be read: the watcher needs 3 consumers"
	if _, err := b.Scan(soon(t), 0, func(Message) error { return nil }); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("scan: got %v", err)
	}
	await(t, "the verdict's end", refuted)
	if err := b.Usable(); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("usable: got %v", err)
	}
	if _, err := b.Ready(soon(t)); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("ready: got %v", err)
	}
	for i := range consumersNeeded {
		if err := js.DeleteConsumer(soon(t), "JOBS", fmt.Sprint("other", i)); err != nil {
			t.Fatal(err)
		}
	}
	ready(t, b)
	if _, err := b.Scan(soon(t), 0, func(Message) error { return nil }); err != nil {
		t.Error(err)
	}
}

// A watcher that was killed has left its consumers, which the server forgets: no reason to refuse the next start.
func TestConsumersOfAWatcherThatWasKilled(t *testing.T) {
	slow.Test(t, "1 s", "a real server drops what a dead connection has left")
	srv := startServer(t)
	cfg := Config{URL: srv.ClientURL()}
	b := run(t, cfg)
	js := admin(t, b)
	is := cfg.withDefaults().newStream()
	is.MaxConsumers = consumersNeeded
	makeStream(t, js, is)
	for i := range consumersNeeded {
		left := jetstream.ConsumerConfig{Name: fmt.Sprint(consumerPrefix, i), InactiveThreshold: time.Second}
		if _, err := js.CreateConsumer(soon(t), "JOBS", left); err != nil {
			t.Fatal(err)
		}
	}
	ready(t, b)
}
