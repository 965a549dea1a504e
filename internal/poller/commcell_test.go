package poller

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jobwatch/internal/commvault"
	"jobwatch/internal/event"
	"jobwatch/internal/job"
	"jobwatch/internal/sim"
)

// which plays GET CommServ.
type which struct {
	guid  string
	err   error
	asked int
}

func (w *which) ask(context.Context) (string, error) {
	w.asked++
	return w.guid, w.err
}

func TestAnotherCommServeIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &which{guid: "AAAA"}
		b := newBench(t, func(c *Config) { c.Identify = server.ask })
		b.script.is(71, state("Running"))
		b.tells("prod/71 state:  → Running")
		b.tells()
		if server.asked != 1 {
			t.Errorf("asked %d times which it is, want once", server.asked)
		}
		b.script.down = &commvault.Error{Operation: "Jobs", Kind: commvault.Unreachable}
		b.tells("prod unreachable")

		b.script.down = nil
		server.guid = "BBBB"
		b.script.is(71, state("Failed")) // another job
		b.script.requests()
		b.tells()
		b.tells()
		if asked := b.script.requests(); len(asked) != 0 {
			t.Errorf("a stranger is asked for %v", asked)
		}
		server.guid = "aaaa"
		b.script.is(71, state("Running"))
		b.tells("prod reachable")
	})
}

func TestIdentity(t *testing.T) {
	for _, row := range []struct {
		name          string
		stored, wants string // by the store, by the configuration
		server        which
		polls         bool
		keeps         string // the GUID stored then
		says          string
	}{
		{"the first one met is learned", "", "", which{guid: "AAAA"}, true, "AAAA", ""},
		{"the one known", "AAAA", "", which{guid: "AAAA"}, true, "AAAA", ""},
		{"another than known", "AAAA", "", which{guid: "BBBB"}, false, "AAAA", "accept it with guid: BBBB"},
		{"another, accepted", "AAAA", "BBBB", which{guid: "BBBB"}, true, "BBBB", ""},
		{"another than configured", "", "AAAA", which{guid: "BBBB"}, false, "", "has the GUID BBBB and not AAAA"},
		{"one that does not tell", "AAAA", "", which{err: &commvault.Error{Operation: "CommServ", Kind: commvault.Auth, Code: 403}}, true, "AAAA",
			"does not say which it is"},
		{"one that does not answer", "AAAA", "", which{err: &commvault.Error{Operation: "CommServ", Kind: commvault.Timeout}}, false, "AAAA", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var said bytes.Buffer
				b := newBench(t, func(c *Config) {
					c.Identify, c.GUID, c.Log = row.server.ask, row.wants, slog.New(slog.NewTextHandler(&said, nil))
				})
				if row.stored != "" {
					if err := b.store.SetGUID("prod", row.stored); err != nil {
						t.Fatal(err)
					}
				}
				b.script.is(71, state("Running"))
				b.cycle()
				told := b.drain()
				if polls := slices.Contains(told, "prod/71 state:  → Running"); polls != row.polls {
					t.Errorf("told %q, polls %v, want %v", told, polls, row.polls)
				}
				if kept, err := b.store.GUID("prod"); err != nil || kept != row.keeps {
					t.Errorf("kept is %q, want %q (%v)", kept, row.keeps, err)
				}
				if !strings.Contains(said.String(), row.says) {
					t.Errorf("%q is not in\n%s", row.says, said.String())
				}
			})
		})
	}
}

// A refused login does not mean that the CommServe keeps its GUID to itself.
func TestARefusedLoginSaysNothingOfIdentity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said bytes.Buffer
		client, err := commvault.New(commvault.Config{
			CommCell: "prod", URL: "http://cs/webconsole/api", Username: "watcher", Password: "wrong", Transport: within{sim.New(sim.Config{})},
		})
		if err != nil {
			t.Fatal(err)
		}
		b := newBench(t, func(c *Config) {
			c.Source, c.Identify, c.Log = client, client.GUID, slog.New(slog.NewTextHandler(&said, nil))
		})
		b.tells("prod unreachable")
		if strings.Contains(said.String(), "which it is") || !strings.Contains(said.String(), "refused") {
			t.Error(said.String())
		}
	})
}

func TestACycleThatAsksNothingSaysNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Discover = false })
		b.tells()
	})
}

// A foreign event tells of the CommCell: what is stored of it gives way, also where there is nothing to tell.
func TestACommCellWithARefreshPendingIsSettledByACycle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.script.is(71, state("Running"))
		b.cycle()
		id := job.ID{CommCell: "prod"}
		for _, detail := range []string{job.DetailUnreachable, job.DetailReachable} {
			e, err := event.NewMinter(nil).CommCell(1, job.Change{Kind: job.KindCommCell, Detail: detail}, id, time.Now(), "")
			if err != nil {
				t.Fatal(err)
			}
			if err := b.store.Adopt(id, fold(t, e)); err != nil {
				t.Fatal(err)
			}
		}
		b.cycle()
		if known, err := b.store.Recall(id); err != nil || known.RefreshPending || known.Told.Unreachable {
			t.Errorf("refresh pending %v, unreachable %v (%v)", known.RefreshPending, known.Told.Unreachable, err)
		}
	})
}
