package poller

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jobwatch/internal/commvault"
	"jobwatch/internal/job"
)

var (
	errThrottled = &commvault.Error{Operation: "JobDetails", Code: 429, Kind: commvault.Throttled}
	errTimeout   = &commvault.Error{Operation: "JobDetails", Kind: commvault.Timeout, Err: context.DeadlineExceeded}
)

// loadBench asks for jobs 1 to n, and no list.
func limiterBench(t *testing.T, n int64, edit func(*Config)) *bench {
	b := newBench(t, func(c *Config) {
		c.Discover = false
		for number := int64(1); number <= n; number++ {
			c.Jobs = append(c.Jobs, number)
		}
		if edit != nil {
			edit(c)
		}
	})
	for number := int64(1); number <= n; number++ {
		b.script.is(number, state("Running"))
	}
	return b
}

// round sends as many requests as may be under way at once, each with this outcome.
func (b *bench) round(took time.Duration, err error) {
	b.t.Helper()
	time.Sleep(time.Nanosecond) // what is sent when the limit falls is of the batch
	var turns []turn
	for range b.Limit() {
		turn, err := b.admit(b.t.Context())
		if err != nil {
			b.t.Fatal(err)
		}
		turns = append(turns, turn)
	}
	time.Sleep(took)
	for _, turn := range turns {
		b.done(turn, true, err)
	}
}

func (b *bench) rounds(n int, took time.Duration, err error) (limits []int) {
	b.t.Helper()
	for range n {
		b.round(took, err)
		limits = append(limits, b.Limit())
	}
	return limits
}

func wantLimits(t *testing.T, what string, got []int, want ...int) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: limits %v, want %v", what, got, want)
	}
}

func TestTooMuchHalvesTheLimit(t *testing.T) {
	for _, row := range []struct {
		err  error
		want int // of 8
	}{
		{errThrottled, 4},
		{&commvault.Error{Code: 503, Kind: commvault.Throttled}, 4},
		{&commvault.Error{Code: 504, Kind: commvault.HTTP}, 4},
		{errTimeout, 4},
		{fmt.Errorf("within another: %w", errTimeout), 4},
		{&commvault.Error{Code: 500, Kind: commvault.HTTP}, 8},
		{errAway, 8},
		{&commvault.Error{Kind: commvault.NotAnAnswer}, 8},
		{&commvault.Error{Kind: commvault.Canceled, Err: context.Canceled}, 8},
		{&commvault.Error{Kind: commvault.UnknownJob, Err: commvault.ErrUnknownJob}, 8},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := limiterBench(t, 1, nil)
			b.rounds(2, time.Second, nil)
			b.round(time.Second, row.err)
			wantLimits(t, row.err.Error(), []int{b.Limit()}, row.want)
		})
	}
}

func TestLimitFallsAndRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := limiterBench(t, 1, nil)
		wantLimits(t, "at the start", append([]int{b.Limit()}, b.rounds(3, time.Second, nil)...), 2, 4, 8, 8)
		wantLimits(t, "too much", b.rounds(5, time.Second, errThrottled), 4, 2, 1, 1, 1)
		wantLimits(t, "less pause first, then 10 s since two were too much", b.rounds(3, time.Second, nil), 1, 1, 1)
		wantLimits(t, "one more each round", b.rounds(8, 2*time.Second, nil), 1, 2, 3, 4, 5, 6, 7, 8)
	})
}

// What was too much is tried again after 10 s, then 20: the CommServe refuses few.
func TestWhatWasTooMuchIsTriedAgainSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := limiterBench(t, 1, nil)
		b.rounds(2, time.Second, nil)
		for _, seconds := range []int{10, 20, 40, 80, 160, 320, 600, 600} {
			b.round(time.Second, errThrottled)
			fell := time.Now()
			for b.Limit() < 8 {
				b.round(time.Second, nil)
			}
			if took := time.Since(fell); took < time.Duration(seconds)*time.Second || took > time.Duration(seconds+4)*time.Second {
				t.Errorf("tried again after %v, want %d s", took, seconds)
			}
		}
		time.Sleep(time.Hour)
		b.round(time.Second, errThrottled)
		b.rounds(9, time.Second, nil)
		time.Sleep(2 * time.Second)
		wantLimits(t, "after an hour in peace", b.rounds(2, time.Second, nil), 8, 8)
	})
}

func TestOneAtATimeIsStillTooMuch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := limiterBench(t, 1, func(c *Config) { c.Concurrency = 1 })
		var pauses []string
		for range 7 {
			start := time.Now()
			b.round(time.Second, errThrottled)
			pauses = append(pauses, (time.Since(start) - time.Second).Truncate(time.Millisecond).String())
		}
		if got, want := strings.Join(pauses, " "), "0s 500ms 1s 2s 4s 8s 10s"; got != want {
			t.Errorf("pauses %s, want %s", got, want)
		}
		b.rounds(5, time.Second, nil)
		start := time.Now()
		b.round(time.Second, nil)
		if took := time.Since(start).Truncate(time.Millisecond); took != time.Second {
			t.Errorf("%v, though it answers again", took)
		}
	})
}

func TestSlowAnswersLowerTheLimit(t *testing.T) {
	for _, row := range []struct {
		name        string
		usual, then time.Duration
		want        []int
	}{
		{"as ever", time.Second, time.Second, []int{8, 8, 8, 8, 8, 8, 8, 8}},
		{"a fast server's jitter", 5 * time.Millisecond, 150 * time.Millisecond, []int{8, 8, 8, 8, 8, 8, 8, 8}},
		{"twice as slow", time.Second, 2 * time.Second, []int{8, 8, 8, 8, 8, 8, 8, 8}},
		{"ten times as slow", 200 * time.Millisecond, 2 * time.Second, []int{8, 8, 7, 7, 6, 6, 6, 5}},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := limiterBench(t, 1, nil)
			b.rounds(10, row.usual, nil)
			wantLimits(t, row.name, b.rounds(8, row.then, nil), row.want...)
			b.rounds(20, row.usual, nil)
			wantLimits(t, row.name+", and over", []int{b.Limit()}, 8)
		})
	}
}

func TestOneSlowAnswerIsNoAlarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := limiterBench(t, 1, nil)
		b.rounds(4, 20*time.Millisecond, nil)
		slow, _ := b.admit(t.Context())
		time.Sleep(10 * time.Second)
		b.done(slow, true, nil)
		wantLimits(t, "after one", b.rounds(4, 20*time.Millisecond, nil), 8, 8, 8, 8)
	})
}

// What stays slow is usual in the end.
func TestSlowForGoodIsUsual(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := limiterBench(t, 1, nil)
		b.rounds(10, 200*time.Millisecond, nil)
		b.rounds(200, 2*time.Second, nil)
		wantLimits(t, "slow", []int{b.Limit()}, 1)
		b.rounds(400, 2*time.Second, nil)
		wantLimits(t, "slow for long", []int{b.Limit()}, 8)
	})
}

// weak refuses more than it bears at once, and notes how many it was asked for in each second.
type weak struct {
	*script
	bears   int
	begun   time.Time
	seconds map[int]int
	refused int
}

func (w *weak) JobDetails(ctx context.Context, number int64) (job.Observation, error) {
	w.mu.Lock()
	second := int(time.Since(w.begun) / time.Second)
	w.seconds[second]++
	over := w.bears > 0 && w.now >= w.bears
	if over {
		w.refused++
	}
	w.mu.Unlock()
	if over {
		return job.Observation{}, errThrottled
	}
	return w.script.JobDetails(ctx, number)
}

func (b *bench) weaken(bears int) *weak {
	w := &weak{script: b.script, bears: bears, begun: time.Now(), seconds: map[int]int{}}
	b.Source = w
	return w
}

func TestTheLimitSettles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := limiterBench(t, 40, nil)
		w := b.weaken(2)
		b.script.takes = 200 * time.Millisecond
		for range 60 {
			b.cycle()
			time.Sleep(30 * time.Second)
		}
		b.script.requests()
		w.refused = 0
		for range 60 {
			b.cycle()
			time.Sleep(30 * time.Second)
		}
		if got := len(b.script.requests()); got != 60*40 || w.refused > 20 {
			t.Errorf("%d answers of %d, %d refused", got, 60*40, w.refused)
		}
		wantLimits(t, "in the end", []int{b.Limit()}, 2)
	})
}

func TestWorkResumesSpreadOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := limiterBench(t, 40, nil)
		b.script.takes = time.Second
		b.cycle()
		b.script.takes, b.script.down = 0, errAway
		for range 3 {
			b.cycle()
		}
		b.script.takes, b.script.down = time.Second, nil
		w := b.weaken(0)
		b.cycle()
		var each []int
		for second := range 8 {
			each = append(each, w.seconds[second])
		}
		if want := []int{1, 2, 4, 8, 8, 8, 8, 2}; !slices.Equal(each, want) {
			t.Errorf("requests in each second %v, want %v", each, want)
		}
	})
}

func TestWhoWaitsForATurnLeavesInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := limiterBench(t, 1, func(c *Config) { c.Concurrency = 1 })
		first, err := b.admit(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		left := make(chan error, 5)
		for range 5 {
			go func() {
				_, err := b.admit(ctx)
				left <- err
			}()
		}
		synctest.Wait()
		cancel()
		synctest.Wait()
		if len(left) != 5 {
			t.Fatalf("%d of 5 have left", len(left))
		}
		for range 5 {
			if err := <-left; !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		}
		b.done(first, true, nil)
		wantLimits(t, "afterwards", b.rounds(3, time.Second, nil), 1, 1, 1)
	})
}

// A turn that is given to one who leaves at that moment is passed on.
func TestNoTurnIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 100 {
			b := &turns{limit: 1, taken: 1}
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error)
			go func() {
				err := b.wait(ctx)
				if err == nil {
					b.release()
				}
				ended <- err
			}()
			synctest.Wait()
			cancel() // and before it has left, it is called
			b.release()
			<-ended
			if b.taken != 0 || len(b.queue) != 0 {
				t.Fatalf("%d turns taken, %d wait", b.taken, len(b.queue))
			}
		}
	})
}

// Who still waits for a turn when the CommCell is given up asks no more.
func TestAHungCommServeIsGivenUpInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := limiterBench(t, 40, nil)
		b.script.takes, b.script.down = 30*time.Second, errTimeout
		start := time.Now()
		b.cycle()
		if took, asked := time.Since(start), len(b.script.requests()); took > 2*time.Minute || asked > 4 {
			t.Errorf("took %v and %d requests", took, asked)
		}
		b.hasTold("prod unreachable")
	})
}

func TestLessIsLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said bytes.Buffer
		b := limiterBench(t, 1, func(c *Config) { c.Log = slog.New(slog.NewTextHandler(&said, nil)) })
		count := func(words string, want int) {
			t.Helper()
			if got := strings.Count(said.String(), words); got != want {
				t.Errorf("said %d times, want %d:\n%s", got, want, said.String())
			}
		}
		b.rounds(3, time.Second, nil)
		count("asks", 0)
		b.rounds(2, time.Second, errThrottled)
		b.rounds(4, time.Second, nil)
		b.rounds(3, time.Second, errThrottled)
		count(`msg="asks less at once, until it bears more" commcell=prod cause="JobDetails: HTTP 429: Too Many Requests" from=8 to=4`, 1)
		count("asks", 1)
		b.rounds(30, time.Second, nil)
		count(`msg="asks as much at once as configured again" commcell=prod limit=8`, 1)
		b.rounds(1, time.Second, errTimeout)
		count("asks less", 2)
		count("asks", 3)
	})
}

// paged is a list of three pages.
type paged struct {
	*script
	p     *Poller
	taken []int // turns while each page was asked for
	asked []time.Time
}

func (s *paged) List(_ context.Context, _ time.Duration, yield func([]commvault.Line) error) error {
	for range 3 {
		s.asked = append(s.asked, time.Now())
		s.taken = append(s.taken, s.p.load.taken)
		time.Sleep(time.Second)
		if err := yield([]commvault.Line{{Number: 71}}); err != nil {
			return err
		}
	}
	return nil
}

func TestEachPageWaitsForItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		source := &paged{script: b.script, p: b.Poller}
		b.Source = source
		start, pages := time.Now(), 0
		err := b.list(t.Context(), 0, func([]commvault.Line) error {
			if b.load.taken != 0 {
				t.Error("a page that is read still has its turn")
			}
			if pages++; pages == 1 {
				b.rest.heed(&commvault.Error{Kind: commvault.Throttled, RetryAfter: 5 * time.Second})
			}
			return nil
		})
		if err != nil || !slices.Equal(source.taken, []int{1, 1, 1}) || b.load.taken != 0 || b.lines != 3 {
			t.Errorf("%v, turns %v, then %d; %d lines", err, source.taken, b.load.taken, b.lines)
		}
		if second := source.asked[1].Sub(start); second != 6*time.Second {
			t.Errorf("the second page was asked for after %v, want 6s: the CommServe wanted 5 s of rest", second)
		}
		broken := errors.New("the disk is full")
		if err := b.list(t.Context(), 0, func([]commvault.Line) error { return broken }); err != broken || b.load.taken != 0 {
			t.Errorf("%v, %d turns not given back", err, b.load.taken)
		}
	})
}
