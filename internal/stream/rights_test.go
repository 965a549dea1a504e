package stream

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// documented are the rights that docs/nats.md names.
const documented = `users: [{user: admin, password: x}, {user: jobwatch, password: x, permissions: {
	publish: ["jobs.>", "commcells.>", "_INBOX.>", "$JS.API.INFO", "$JS.API.STREAM.INFO.JOBS", "$JS.API.STREAM.CREATE.JOBS",
		"$JS.API.STREAM.NAMES", "$JS.API.STREAM.MSG.GET.JOBS", "$JS.API.CONSUMER.*.JOBS.>",
		"$JS.API.CONSUMER.MSG.NEXT.JOBS.>", "$JS.API.CONSUMER.NAMES.JOBS",
		"$JS.ACK.JOBS.>", "relays.>", "$KV.JOBS_RELAY_STATE.>",
		"$JS.API.STREAM.CREATE.JOBS_RELAYS", "$JS.API.STREAM.INFO.JOBS_RELAYS",
		"$JS.API.STREAM.MSG.GET.JOBS_RELAYS", "$JS.API.STREAM.PURGE.JOBS_RELAYS",
		"$JS.API.STREAM.CREATE.KV_JOBS_RELAY_STATE", "$JS.API.STREAM.MSG.GET.KV_JOBS_RELAY_STATE"]
	subscribe: ["_INBOX.>"]}}]`

func TestTheRightsThatAreDocumented(t *testing.T) {
	srv, _ := configured(t, "accounts {A {jetstream: enabled, "+documented+"}}")
	cfg := Config{URL: srv.ClientURL(), User: "jobwatch", Password: "x", Samples: []string{sample}}
	b := use(t, srv, func(c *Config) { c.User, c.Password = cfg.User, cfg.Password })
	fill(t, b, 10)
	if err := b.CheckRoute(soon(t), sample); err != nil {
		t.Error(err)
	}
	read := 0
	if _, err := b.Scan(soon(t), 0, func(Message) error { read++; return nil }); err != nil || read != 10 {
		t.Errorf("read %d: %v", read, err)
	}
	if err := relayed(t, b); err != nil {
		t.Errorf("as a relay: %v", err)
	}
	s, err := b.usable()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.nc.LastError(); err != nil {
		t.Errorf("refused: %v", err)
	}
	for _, f := range Probe(soon(t), cfg) {
		if f.Grade != OK {
			t.Errorf("check says %s %s: %s", f.Grade, f.What, f.Text)
		}
	}
}

// relayed does all that a relay does.
func relayed(t *testing.T, b *Broker) error {
	t.Helper()
	ctx := soon(t)
	k, l := b.Bucket("JOBS_RELAY_STATE"), b.Log("JOBS_RELAYS", []string{"relays.>"})
	for _, do := range []func() error{
		func() error { _, err := k.Get(ctx, "ops"); return err },
		func() error { _, err := k.Put(ctx, Entry{Key: "ops", Value: []byte("{}")}); return err },
		func() error { _, err := l.Append(ctx, Record{Subject: "relays.ops.state"}, false); return err },
		func() error { return l.Each(ctx, "relays.>", func(Record) error { return nil }) },
		func() error { _, err := l.Count(ctx, "relays.>"); return err },
		func() error { return l.Remove(ctx, "relays.ops.state") },
		func() error { return claimedAndSettled(ctx, b) },
	} {
		if err := do(); err != nil {
			return err
		}
	}
	return nil
}

func claimedAndSettled(ctx context.Context, b *Broker) error {
	c, _, err := b.Claim(ctx, Durable{Name: "relay-ops", Subjects: []string{"jobs.>"}, AckWait: 100 * time.Millisecond, Window: 10})
	if err != nil {
		return err
	}
	defer c.Close()
	for {
		briefly, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
		ds, err := c.Next(briefly, 10)
		cancel()
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		for _, d := range ds {
			c.Settle(d)
		}
		info, err := c.Info(ctx)
		if err != nil || info.Pending+uint64(info.Unsettled) == 0 {
			return err
		}
	}
}

func TestARightThatARelayLacksIsNamed(t *testing.T) {
	for _, right := range []string{
		"$JS.API.CONSUMER.INFO.JOBS.relay-ops", "$JS.API.CONSUMER.CREATE.JOBS.relay-ops",
		"$JS.API.CONSUMER.MSG.NEXT.JOBS.relay-ops", "$JS.ACK.JOBS.relay-ops.>",
		"$KV.JOBS_RELAY_STATE.>", "$JS.API.STREAM.MSG.GET.KV_JOBS_RELAY_STATE", "$JS.API.STREAM.CREATE.KV_JOBS_RELAY_STATE",
		"relays.>", "$JS.API.STREAM.CREATE.JOBS_RELAYS", "$JS.API.STREAM.MSG.GET.JOBS_RELAYS",
		"$JS.API.STREAM.INFO.JOBS_RELAYS", "$JS.API.STREAM.PURGE.JOBS_RELAYS",
	} {
		t.Run(right, func(t *testing.T) {
			t.Parallel()
			b := use(t, startServer(t, user("jobwatch", right)), func(c *Config) { c.User, c.Password = "jobwatch", "secret" })
			fill(t, b, 3)
			began := time.Now()
			err := relayed(t, b)
			refused := (*RefusedError)(nil)
			if !errors.As(err, &refused) || refused.Reason != Permission || !strings.Contains(err.Error(), strings.TrimSuffix(right, ">")) {
				t.Errorf("after %v: %v", time.Since(began), err)
			}
		})
	}
}
