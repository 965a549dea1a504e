package poller

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jobwatch/internal/commvault"
)

// A cycle may take long, above all the first one after an outage: that the CommCell answers shows with the first answer.
func TestACommCellAnswersWithTheFirstAnswer(t *testing.T) {
	for _, row := range []struct {
		name     string
		edit     func(*Config)
		restarts bool
		want     string // told meanwhile
	}{
		{"after an outage", nil, false, "prod reachable"},
		{"after an outage, and a restart", nil, true, "prod reachable"},
		{"after an outage, without a list", func(c *Config) { c.Discover, c.Jobs = false, []int64{1, 2, 3, 4, 5} }, false, "prod reachable"},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, func(c *Config) {
					c.Concurrency = 1
					if row.edit != nil {
						row.edit(c)
					}
				})
				for number := range int64(5) {
					b.script.is(number+1, state("Running"))
				}
				b.cycle()
				b.drain()
				b.script.down = errAway
				b.tells("prod unreachable")
				if row.restarts {
					b.restart()
				}
				b.script.down, b.script.takes = nil, 20*time.Second
				ended := make(chan error)
				go func() { ended <- b.Cycle(t.Context()) }()
				passes(21 * time.Second)
				b.hasTold(row.want)
				if got := b.Counts.Totals(); !got.Up || got.Failure != "" || got.Reason != "" || got.Answered.IsZero() {
					t.Errorf("up %v (%s %s), last answer %v; want it up before the cycle ends", got.Up, got.Failure, got.Reason, got.Answered)
				}
				if err := <-ended; err != nil {
					t.Fatal(err)
				}
				b.hasTold()
			})
		})
	}
}

// So it does at the start, before there is anything to tell.
func TestACommCellIsUpWithTheFirstAnswerOfAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Concurrency, c.Discover, c.Jobs = 1, false, []int64{1, 2, 3} })
		b.script.takes = 20 * time.Second
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- b.Run(ctx) }()
		passes(21 * time.Second)
		if got := b.Counts.Totals(); !got.Up || got.Since.IsZero() || got.Cycles != 0 {
			t.Errorf("after one answer: up %v since %v, %d cycles", got.Up, got.Since, got.Cycles)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// Beside a cycle that ends without an answer, an unscheduled poll with one would have it told both ways in turn.
func TestWhetherACommCellAnswersIsForTheCyclesToSay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Jobs = []int64{71} })
		b.script.is(71, state("Running"))
		b.script.down = errAway
		b.tells("prod unreachable")
		b.script.down = nil
		b.mustStore(b.pollUnscheduled(t.Context(), job71))
		b.hasTold("prod/71 state:  → Running")
		b.tells("prod reachable")
	})
}

func TestHowACommServeFailsIsLogged(t *testing.T) {
	for want, err := range map[commvault.Failure]error{
		commvault.NoAnswer: errAway,
		commvault.Refused:  &commvault.Error{Operation: "JobDetails", Kind: commvault.Auth, Code: 401},
		commvault.NotAsked: &commvault.Error{Operation: "Login", Kind: commvault.Auth},
		commvault.Unusable: &commvault.Error{Operation: "JobDetails", Kind: commvault.HTTP, Code: 500},
	} {
		synctest.Test(t, func(t *testing.T) {
			var said bytes.Buffer
			b := newBench(t, func(c *Config) { c.Jobs, c.Log = []int64{71}, slog.New(slog.NewTextHandler(&said, nil)) })
			b.script.down = err
			b.tells("prod unreachable")
			if got := b.Counts.Totals(); got.Up || got.Failure != want || !strings.Contains(said.String(), `"`+want.Says()+`"`) {
				t.Errorf("%v: %q, want %q:\n%s", err, got.Failure, want, said.String())
			}
		})
	}
}
