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
	"jobwatch/internal/limiter"
)

var (
	errThrottled = &commvault.Error{Operation: "JobDetails", Code: 429, Kind: commvault.Throttled}
	errTimeout   = &commvault.Error{Operation: "JobDetails", Kind: commvault.Timeout, Err: context.DeadlineExceeded}
)

// limiterBench asks for jobs 1 to n, and no list.
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

func (b *bench) acquire() limiter.Permit {
	b.t.Helper()
	permit, err := b.limiter.Acquire(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	return permit
}

// isHeld has the CommServe ask for a hold.
func (b *bench) isHeld(long time.Duration) {
	b.t.Helper()
	o := outcomeOf(throttled(long))
	o.Result = limiter.Unused
	b.acquire().Release(o)
}

// round sends as many requests as may be in flight at once, each with this outcome.
func (b *bench) round(took time.Duration, err error) {
	b.t.Helper()
	time.Sleep(time.Nanosecond) // what is sent when the limit falls is of the batch
	var permits []limiter.Permit
	for range b.Limit() {
		permits = append(permits, b.acquire())
	}
	time.Sleep(took)
	for _, permit := range permits {
		b.returnPermit(permit, true, err)
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

// What still waits for a permit when the CommCell is given up is not asked.
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
	busy  func() bool // no request may be sent
	taken []bool      // while each page was asked for
	asked []time.Time
}

func (s *paged) List(_ context.Context, _ time.Duration, yield func([]commvault.Line) error) error {
	for range 3 {
		s.asked = append(s.asked, time.Now())
		s.taken = append(s.taken, s.busy())
		time.Sleep(time.Second)
		if err := yield([]commvault.Line{{Number: 71}}); err != nil {
			return err
		}
	}
	return nil
}

func TestEachPageWaitsForItsPermit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Concurrency = 1 })
		busy := func() bool {
			ctx, leave := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() {
				permit, err := b.limiter.Acquire(ctx)
				if err == nil {
					permit.Release(limiter.Outcome{})
				}
				ended <- err
			}()
			synctest.Wait()
			leave()
			return <-ended != nil
		}
		source := &paged{script: b.script, busy: busy}
		b.Source = source
		start, pages := time.Now(), 0
		err := b.list(t.Context(), 0, func([]commvault.Line) error {
			if busy() {
				t.Error("a page that is read still has its permit")
			}
			if pages++; pages == 1 {
				b.isHeld(5 * time.Second)
			}
			return nil
		})
		if err != nil || !slices.Equal(source.taken, []bool{true, true, true}) || busy() || b.cycleState.lines != 3 {
			t.Errorf("%v, permits taken %v, then %v; %d lines", err, source.taken, busy(), b.cycleState.lines)
		}
		if second := source.asked[1].Sub(start); second != 6*time.Second {
			t.Errorf("the second page was asked for after %v, want 6s: the CommServe wanted to be left alone for 5 s", second)
		}
		broken := errors.New("the disk is full")
		if err := b.list(t.Context(), 0, func([]commvault.Line) error { return broken }); !errors.Is(err, broken) || busy() {
			t.Errorf("%v, a permit is not given back: %v", err, busy())
		}
	})
}
