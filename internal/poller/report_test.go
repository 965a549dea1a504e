package poller

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jobwatch/internal/commvault"
	"jobwatch/internal/failpoint"
	"jobwatch/internal/job"
	"jobwatch/internal/limiter"
	"jobwatch/internal/store/storetest"
)

// TestOneLineForACommCell: what befalls a CommCell as a whole is said once, not once for each of its jobs.
func TestOneLineForACommCell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said bytes.Buffer
		b := newBench(t, func(c *Config) { c.Log = slog.New(slog.NewTextHandler(&said, nil)) })
		for number := range int64(5) {
			b.script.is(number+1, state("Running"))
		}
		b.cycle()
		says := func(when string, lines int, key string) {
			t.Helper()
			if got := strings.Count(said.String(), "no observation"); got != lines || !strings.Contains(said.String(), key) {
				t.Errorf("%s: %d lines, want %d with %s:\n%s", when, got, lines, key, said.String())
			}
			said.Reset()
		}
		busy := &commvault.Error{Operation: "JobDetails", Kind: commvault.Throttled, Code: 503}
		b.script.broken = map[int64]error{1: busy, 2: busy, 3: busy}
		b.cycle()
		b.cycle()
		says("three jobs are met by 503, twice", 1, "commcell=prod")
		b.script.broken = nil
		b.cycle()
		b.script.broken = map[int64]error{1: busy}
		b.cycle()
		says("again after a good cycle", 1, "commcell=prod")
		odd := &commvault.Error{Operation: "JobDetails", Job: 4, Kind: commvault.NotAnAnswer, Code: 200}
		b.script.broken = map[int64]error{4: odd, 5: odd}
		b.cycle()
		b.cycle()
		says("two jobs with answers that are none", 2, "job=prod/4")
	})
}

// TestRefusedLoginIsToldAsSuch: whoever reads `unreachable` knows at once whom to ask.
func TestRefusedLoginIsToldAsSuch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.script.down = &commvault.Error{Operation: "Login", Kind: commvault.Auth, Code: 200, Words: "The password is wrong."}
		b.cycle()
		next, found, err := storetest.Oldest(b.store, job.ID{CommCell: "prod"})
		if err != nil || !found {
			t.Fatal(found, err)
		}
		data, err := next.Event.CommCell()
		if err != nil || !strings.HasPrefix(string(data.Reason), "auth: ") {
			t.Errorf("the reason is %q (%v)", data.Reason, err)
		}
	})
}

func TestACauseIsLoggedOnceAndCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r repeats
		for _, row := range []struct {
			after time.Duration
			words string
			want  int
		}{
			{0, "slow", 1},
			{time.Second, "slow", 0},
			{time.Second, "refused", 1},
			{9 * time.Minute, "slow", 0},
			{9 * time.Minute, "slow", 0},
			{9 * time.Minute, "slow", 0},
			{9 * time.Minute, "slow", 0},
			{9 * time.Minute, "slow", 0},
			{9 * time.Minute, "slow", 0},
			{9 * time.Minute, "slow", 8}, // after an hour
			{9 * time.Minute, "slow", 0},
			{quietFor, "slow", 2}, // it had ended
		} {
			time.Sleep(row.after)
			if got := r.news(row.words, 1, 1); got != row.want {
				t.Errorf("%s after %v: %d times, want %d", row.words, row.after, got, row.want)
			}
		}
		for n := range 10 * mostCauses {
			r.news(fmt.Sprint(n), 1, 1)
		}
		if len(r.causes) > mostCauses+1 {
			t.Errorf("%d causes are told apart", len(r.causes))
		}
		time.Sleep(quietFor)
		for n := range 2 {
			if got := r.news(fmt.Sprint("new ", n), 1, 1); got != 1 {
				t.Errorf("after %v without any of them, a new cause came %d times, want 1", quietFor, got)
			}
		}
	})
}

// loggingBench is a bench of a list of jobs, and what it logs.
func loggingBench(t *testing.T, jobs int64) (*bench, *bytes.Buffer) {
	var said bytes.Buffer
	b := newBench(t, func(c *Config) { c.Log = slog.New(slog.NewTextHandler(&said, nil)) })
	for number := range jobs {
		b.script.is(number+1, state("Running"))
	}
	b.cycle()
	return b, &said
}

func lines(said *bytes.Buffer, words string) int { return strings.Count(said.String(), words) }

// A limit of 64 that falls by one, and rises again, is one story.
func TestALimitThatFallsAndRisesIsNoFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said bytes.Buffer
		b := limiterBench(t, 1, func(c *Config) { c.Log, c.Concurrency = slog.New(slog.NewTextHandler(&said, nil)), 64 })
		for i := range 25 {
			cause := fmt.Errorf("answers take %d ms, and took %d ms", (i+1)*431, (i+1)*431/5)
			b.limitChanged(limiter.Change{Kind: limiter.Lowered, From: 64, To: 63, Cause: cause})
			time.Sleep(150 * time.Second)
			b.limitChanged(limiter.Change{Kind: limiter.Restored, From: 63, To: 64})
		}
		if less, again := lines(&said, "asks less"), lines(&said, "asks as much"); less != 2 || again != 2 || lines(&said, "count=24") != 1 {
			t.Errorf("in an hour %d lines say that less is asked, %d that as much is again; want 2:\n%s", less, again, &said)
		}
	})
}

// Where many jobs meet one fault, now and then or all the time, some are named.
func TestOneFaultOfManyJobsIsNoFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, said := loggingBench(t, 200)
		for range 20 {
			for number := range int64(200) {
				b.script.broken[number+1] = &commvault.Error{Operation: "JobDetails", Job: number + 1, Kind: commvault.NotAnAnswer, Words: "Error 17."}
			}
			b.cycleEvery(30*time.Second, 1)
			b.script.broken = map[int64]error{}
			b.cycleEvery(30*time.Second, 1)
		}
		if n := lines(said, "no observation"); n != failingJobs {
			t.Errorf("%d lines, want %d", n, failingJobs)
		}
		b.script.broken[7] = &commvault.Error{Operation: "JobDetails", Job: 7, Kind: commvault.NotAnAnswer, Words: "The disk is full."}
		b.cycle()
		if n := lines(said, "The disk is full."); n != 1 {
			t.Errorf("another cause is said %d times", n)
		}
	})
}

// A store that cannot be written fails each cycle in the same words; a cycle that is late is late again and again.
func TestWhatBefallsEachCycleIsNoFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, said := loggingBench(t, 1)
		full, isFull := errors.New("no space left on device"), true
		storetest.Hook(b.store, func(p failpoint.Point) error {
			if p == failpoint.BeforeCommit && isFull {
				return full
			}
			return nil
		})
		takes := func(each time.Duration) {
			b.script.mu.Lock()
			defer b.script.mu.Unlock()
			b.script.takes = each
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- b.cycleOnSchedule(ctx) }()
		passes(50 * time.Minute)
		isFull = false
		for range 20 {
			takes(20 * time.Second) // the list, and the job
			passes(time.Minute)
			takes(0)
			passes(time.Minute)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		for _, words := range []string{"cycle cut short", "is skipped"} {
			if n := lines(said, words); n != 1 {
				t.Errorf("%q is said %d times, want once:\n%s", words, n, said)
			}
		}
	})
}
