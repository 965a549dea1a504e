package daemon

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"jobwatch/internal/audit"
	"jobwatch/internal/config"
	"jobwatch/internal/relay"
	"jobwatch/internal/web"
)

type nowhere struct{ relay.Destination }

type counting struct{ running *atomic.Int32 }

func (c counting) Run(ctx context.Context) error {
	c.running.Add(1)
	defer c.running.Add(-1)
	<-ctx.Done()
	return nil
}

func (c counting) Status() relay.Status { return relay.Status{State: relay.Delivering} }

// TestARelayThatCannotStart: it alone stands still, says why once, and starts when the reason is gone.
func TestARelayThatCannotStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		var broken atomic.Bool
		broken.Store(true)
		running := map[string]*atomic.Int32{"good": {}, "bad": {}, "good2": {}}
		these := []config.Relay{{Name: "bad"}, {Name: "good"}}
		all := newRelays(func(*config.Config) []config.Relay { return these }, func(c config.Relay) *relayRunner {
			return &relayRunner{
				Relay: c, log: slog.New(slog.NewTextHandler(&log, nil)),
				open: func(c config.Relay) (relay.Destination, error) {
					if c.Name == "bad" && broken.Load() {
						return nil, errors.New("token_file: no such file")
					}
					return nowhere{}, nil
				},
				begin: func(config.Relay, relay.Destination) relayLoop { return counting{running[c.Name]} },
			}
		})
		all.take(nil)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- all.Run(ctx) }()
		time.Sleep(10 * time.Second)
		if running["good"].Load() != 1 || running["bad"].Load() != 0 {
			t.Error("the good one alone should run")
		}
		if bad := all.shown()[0]; bad.State != web.RelayStopped || bad.Reason != "token_file: no such file" || time.Since(bad.Since) != 10*time.Second {
			t.Errorf("%+v", bad)
		}
		if n := strings.Count(log.String(), "no such file"); n != 1 {
			t.Errorf("said %d times:\n%s", n, log.String())
		}
		broken.Store(false)
		time.Sleep(openAgain)
		synctest.Wait()
		if bad := all.shown()[0]; bad.State != relay.Delivering || running["bad"].Load() != 1 {
			t.Errorf("does not run: %+v", bad)
		}
		these = []config.Relay{{Name: "bad"}, {Name: "good", Rate: 1}, {Name: "good2"}}
		words := all.take(nil)
		if words != "relay good has changed, relay good2 is new" {
			t.Error(words)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

type running func(ctx context.Context) error

func (r running) Run(ctx context.Context) error { return r(ctx) }

// TestTheConnectionOutlivesTheRelays: what they deliver last is settled through it; but one that does not end holds up
// the stop for so long at most.
func TestTheConnectionOutlivesTheRelays(t *testing.T) {
	for name, row := range map[string]struct{ relay, want time.Duration }{
		"ends in time": {3 * time.Second, 3 * time.Second},
		"hangs":        {time.Minute, goodbye},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				all := newRelays(func(*config.Config) []config.Relay { return []config.Relay{{Name: "ops"}} }, func(c config.Relay) *relayRunner {
					return &relayRunner{
						Relay: c, log: slog.New(slog.DiscardHandler),
						open:  func(config.Relay) (relay.Destination, error) { return nowhere{}, nil },
						begin: func(config.Relay, relay.Destination) relayLoop { return lingering(row.relay) },
					}
				})
				all.take(nil)
				ctx, stop := context.WithCancel(t.Context())
				ended, done := make(chan struct{}), make(chan time.Time, 2)
				go func() {
					_ = all.runUntilGoodbye(ctx, ended, slog.New(slog.DiscardHandler))
					done <- time.Now()
				}()
				go func() {
					_ = runBehind(ctx, running(func(ctx context.Context) error { <-ctx.Done(); return nil }), ended)
					done <- time.Now()
				}()
				synctest.Wait()
				began := time.Now()
				stop()
				for range 2 {
					if took := (<-done).Sub(began); took != row.want {
						t.Errorf("ends after %v, want %v", took, row.want)
					}
				}
				time.Sleep(row.relay) // which nobody waits for
			})
		})
	}
}

// lingering ends so long after it was told to.
type lingering time.Duration

func (l lingering) Run(ctx context.Context) error {
	<-ctx.Done()
	time.Sleep(time.Duration(l))
	return nil
}

func (l lingering) Status() relay.Status { return relay.Status{} }

func TestALogThatWasTamperedWithIsAnAlarm(t *testing.T) {
	r := &relayRunner{log: slog.New(slog.DiscardHandler)}
	r.is(errors.New("a folder that cannot be written"), nil)
	if r.shown().Alarm || r.pause() != openAgain {
		t.Error("a trouble that ends by itself is an alarm")
	}
	r.is(&audit.Damage{Problem: "line 3 is not what was written"}, nil)
	if !r.shown().Alarm || r.pause() != lookAgain {
		t.Error("a log that was tampered with is none")
	}
}
