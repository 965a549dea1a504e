package poller

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jobwatch/internal/job"
	"jobwatch/internal/store"
)

func only(clients ...string) Filter {
	return NewFilter(map[string][]string{"client": clients}, nil)
}

func TestOnlyWhatPassesIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Filter, c.Jobs = only("fall*"), []int64{5} })
		if err := b.store.Track(store.ByHand, job.ID{CommCell: "prod", Number: 6}); err != nil {
			t.Fatal(err)
		}
		for _, number := range []int64{5, 6, 7} { // configured, by hand, and neither
			b.script.is(number, state("Running"), client("winter"))
		}
		b.script.is(71, state("Running"), client("Fall.example.com"))
		b.tells("prod/5 state:  → Running", "prod/6 state:  → Running", "prod/71 state:  → Running")

		b.Filter = only("winter")
		b.Poller = New(b.Config) // what is followed is followed to its end
		b.script.is(71, state("Completed"), client("Fall.example.com"))
		b.tells("prod/7 state:  → Running", "prod/71 state: Running → Completed")
	})
}

func TestAFilterThatLeavesOutAllIsLoggedOnce(t *testing.T) {
	for _, row := range []struct {
		filter Filter
		says   string
	}{
		{only("fall"), ""},
		{only("winter", "spring"), "none passes discover.include.client\""},
		{NewFilter(nil, map[string][]string{"client": {"f*"}, "subclient": {"*"}}), "none passes discover.exclude.client, discover.exclude.subclient\""},
		{Filter{}, ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			var said bytes.Buffer
			b := newBench(t, func(c *Config) { c.Filter, c.Log = row.filter, slog.New(slog.NewTextHandler(&said, nil)) })
			b.cycle() // an empty list says nothing about a filter
			if said.Len() > 0 {
				t.Errorf("of an empty list: %s", said.String())
			}
			b.script.is(71, state("Running"))
			b.script.is(72, state("Running"), client("summer"))
			b.cycle()
			b.cycle()
			if got := strings.Count(said.String(), "none passes"); got != min(len(row.says), 1) || !strings.Contains(said.String(), row.says) {
				t.Errorf("said %q, want once %q", said.String(), row.says)
			}
		})
	}
}

// What began and ended while nobody polled is told, however long that was; on a first start what is older than
// finished_within is not.
func TestTheListReachesBackOverAnOutage(t *testing.T) {
	stopped := func(b *bench) {
		time.Sleep(9 * time.Hour)
		b.Poller = New(b.Config)
	}
	down := func(b *bench) {
		b.script.down = errAway
		for range 18 {
			time.Sleep(30 * time.Minute)
			b.cycle()
		}
		b.script.down = nil
		b.drain()
	}
	for _, row := range []struct {
		name   string
		behind time.Duration // the CommServe's clock
		away   func(*bench)
	}{
		{"the watcher was stopped", 0, stopped},
		{"the CommServe was down", 0, down},
		{"the schedule is slow", 0, func(*bench) { time.Sleep(9 * time.Hour) }},
		{"a clock that is behind", 7 * time.Hour, down},
		{"a clock that is ahead", -7 * time.Hour, stopped},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, func(c *Config) { c.FinishedWithin, c.KeepFinished = time.Hour, time.Hour })
				b.script.behind = row.behind
				start := time.Now().Add(-row.behind)
				b.script.is(1, state("Completed"), ended(start.Add(-2*time.Hour)))
				b.script.is(2, state("Completed"), ended(start.Add(-time.Minute)))
				b.tells("prod/2 state:  → Completed")
				row.away(b)
				b.script.is(3, state("Completed"), ended(start.Add(time.Minute)))
				b.cycle()
				told := b.drain()
				told = slices.DeleteFunc(told, func(event string) bool { return event == "prod reachable" })
				if !slices.Equal(told, []string{"prod/3 state:  → Completed"}) { // 2 is not told again
					t.Errorf("told %q", told)
				}
				b.script.requests()
				time.Sleep(2 * time.Hour)
				b.tells()
			})
		})
	}
}

// A list that fails on its way was not read: what it would have named is named by the next.
func TestAListThatFailsIsNotNoted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.FinishedWithin, c.Jobs = time.Minute, []int64{5} })
		b.script.is(5, state("Running"))
		b.cycle()
		b.drain()
		time.Sleep(time.Hour)
		b.script.is(71, state("Completed"), ended(time.Now().Add(-50*time.Minute)))
		b.script.broken[0] = errAway // the list alone
		b.tells()
		delete(b.script.broken, 0)
		b.tells("prod/71 state:  → Completed")
	})
}

// What ended while discovery was off is not told.
func TestDiscoveryThatWasOffBeginsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.FinishedWithin = time.Hour })
		b.cycle()
		b.Discover = false
		b.Poller = New(b.Config)
		b.cycle()
		time.Sleep(9 * time.Hour)
		b.script.is(71, state("Completed"), ended(time.Now().Add(-2*time.Hour)))
		b.Discover = true
		b.Poller = New(b.Config)
		b.tells()
	})
}

func TestTheLastListIsNotedOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.script.is(71, state("Running"))
		b.cycle()
		b.writes = 0
		for range 60 {
			time.Sleep(10 * time.Second)
			b.cycle()
		}
		if b.writes != 10 {
			t.Errorf("%d transactions in ten quiet minutes, want 10", b.writes)
		}
	})
}
