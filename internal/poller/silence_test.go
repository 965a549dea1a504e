package poller

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
)

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

// The end comes with a new attempt: what that counts is told at the next poll, and not only at the final one.
func TestAnEndThatLeavesSomethingToTellIsPolledAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		attempt := func(n int64) func(*job.Snapshot) { return func(s *job.Snapshot) { s.Attempt = &n } }
		failed := func(s *job.Snapshot) { s.Failures = "0 Folders, 3 Files" }
		b.script.is(71, state("Running"), attempt(1))
		b.tells("prod/71 state:  → Running", "prod/71 watch:  → 1")
		b.script.is(71, state("Failed"), attempt(2), failed)
		b.tells("prod/71 state: Running → Failed", "prod/71 failure: Running → Failed", "prod/71 watch: 1 → 2")
		b.tells("prod/71 failure:  → 0 Folders, 3 Files")
	})
}

type never struct{}

func (never) Next(time.Time) time.Time { return time.Time{} }

// The 30th of February, say: a loop that waits for it would poll without a pause.
func TestAScheduleThatNeverComesAgainIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Schedule = never{} })
		b.script.takes = time.Second
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := b.Run(ctx); err == nil || !strings.Contains(err.Error(), "never comes again") {
			t.Errorf("got %v after %d requests", err, len(b.script.requests()))
		}
	})
}
