package limiter

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var errTooMuch = errors.New("too many requests")

var (
	good    = Outcome{Result: Answered, Timed: true}
	tooMuch = Outcome{Result: TooMuch, Err: errTooMuch}
)

// bench is a limiter, and what it has told of its changes.
type bench struct {
	*Limiter
	t    *testing.T
	told []string
}

func newBench(t *testing.T, concurrency int) *bench {
	b := &bench{t: t}
	b.Limiter = New(Config{Concurrency: concurrency, Changed: func(c Change) {
		words := [...]string{Lowered: "lowered", Restored: "restored", Slowed: "slowed"}[c.Kind]
		b.told = append(b.told, fmt.Sprintf("%s %d→%d %v", words, c.From, c.To, c.Cause))
	}})
	return b
}

func (b *bench) acquire() Permit {
	b.t.Helper()
	permit, err := b.Acquire(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	return permit
}

// round sends as many requests as may be in flight at once, each with this outcome.
func (b *bench) round(took time.Duration, o Outcome) {
	b.t.Helper()
	time.Sleep(time.Nanosecond) // what is sent when the limit falls is of the batch
	var permits []Permit
	for range b.Limit() {
		permits = append(permits, b.acquire())
	}
	time.Sleep(took)
	for _, permit := range permits {
		permit.Release(o)
	}
}

func (b *bench) rounds(n int, took time.Duration, o Outcome) (limits []int) {
	b.t.Helper()
	for range n {
		b.round(took, o)
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

func TestWhatLowersTheLimit(t *testing.T) {
	for _, row := range []struct {
		outcome Outcome
		want    int // of 8
	}{
		{tooMuch, 4},
		{good, 8},
		{Outcome{Result: Failed, Err: errTooMuch}, 8},
		{Outcome{Err: errTooMuch}, 8},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, 8)
			b.rounds(2, time.Second, good)
			b.round(time.Second, row.outcome)
			wantLimits(t, fmt.Sprintf("%+v", row.outcome), []int{b.Limit()}, row.want)
		})
	}
}

func TestLimitFallsAndRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 8)
		wantLimits(t, "at the start", append([]int{b.Limit()}, b.rounds(3, time.Second, good)...), 2, 4, 8, 8)
		wantLimits(t, "too much", b.rounds(5, time.Second, tooMuch), 4, 2, 1, 1, 1)
		wantLimits(t, "less pause first, then 10 s since two were too much", b.rounds(3, time.Second, good), 1, 1, 1)
		wantLimits(t, "one more each round", b.rounds(8, 2*time.Second, good), 1, 2, 3, 4, 5, 6, 7, 8)
		b.SlowStart()
		wantLimits(t, "after an outage", append([]int{b.Limit()}, b.rounds(4, time.Second, good)...), 1, 2, 4, 8, 8)
	})
}

// What was too much is tried again after 10 s, then 20: the server refuses few.
func TestWhatWasTooMuchIsTriedAgainSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 8)
		b.rounds(2, time.Second, good)
		for _, seconds := range []int{10, 20, 40, 80, 160, 320, 600, 600} {
			b.round(time.Second, tooMuch)
			fell := time.Now()
			for b.Limit() < 8 {
				b.round(time.Second, good)
			}
			if took := time.Since(fell); took < time.Duration(seconds)*time.Second || took > time.Duration(seconds+4)*time.Second {
				t.Errorf("tried again after %v, want %d s", took, seconds)
			}
		}
		time.Sleep(time.Hour)
		b.round(time.Second, tooMuch)
		b.rounds(9, time.Second, good)
		time.Sleep(2 * time.Second)
		wantLimits(t, "after an hour in peace", b.rounds(2, time.Second, good), 8, 8)
	})
}

func TestOneAtATimeIsStillTooMuch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 1)
		var pauses []string
		for range 7 {
			start := time.Now()
			b.round(time.Second, tooMuch)
			pauses = append(pauses, (time.Since(start) - time.Second).Truncate(time.Millisecond).String())
		}
		if got, want := strings.Join(pauses, " "), "0s 500ms 1s 2s 4s 8s 10s"; got != want {
			t.Errorf("pauses %s, want %s", got, want)
		}
		start := time.Now()
		b.acquire().Release(Outcome{})
		b.acquire().Release(Outcome{Result: Failed})
		b.acquire().Release(good)
		if took := time.Since(start); took != 2*longestPause {
			t.Errorf("waited for %v, want two pauses: one for the answer before, and none for what was not sent", took)
		}
		b.rounds(5, time.Second, good)
		start = time.Now()
		b.round(time.Second, good)
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
			b := newBench(t, 8)
			b.rounds(10, row.usual, good)
			wantLimits(t, row.name, b.rounds(8, row.then, good), row.want...)
			b.rounds(20, row.usual, good)
			wantLimits(t, row.name+", and over", []int{b.Limit()}, 8)
		})
	}
}

func TestOneSlowAnswerIsNoAlarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 8)
		b.rounds(4, 20*time.Millisecond, good)
		slow := b.acquire()
		time.Sleep(10 * time.Second)
		slow.Release(good)
		wantLimits(t, "after one", b.rounds(4, 20*time.Millisecond, good), 8, 8, 8, 8)
	})
}

// Pages of a list differ in length: how long they take is no measure.
func TestOnlyTimedAnswersAreCompared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 8)
		b.rounds(10, 20*time.Millisecond, good)
		wantLimits(t, "pages", b.rounds(8, 10*time.Second, Outcome{Result: Answered}), 8, 8, 8, 8, 8, 8, 8, 8)
	})
}

// What stays slow is usual in the end.
func TestSlowForGoodIsUsual(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 8)
		b.rounds(10, 200*time.Millisecond, good)
		b.rounds(200, 2*time.Second, good)
		wantLimits(t, "slow", []int{b.Limit()}, 1)
		b.rounds(400, 2*time.Second, good)
		wantLimits(t, "slow for long", []int{b.Limit()}, 8)
	})
}

func TestChangesAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 8)
		tells := func(what string, want ...string) {
			t.Helper()
			if !slices.Equal(b.told, want) {
				t.Errorf("%s: told %q, want %q", what, b.told, want)
			}
			b.told = nil
		}
		b.rounds(3, time.Second, good)
		tells("well")
		b.rounds(2, time.Second, tooMuch)
		tells("too much", "lowered 8→4 too many requests", "lowered 4→2 too many requests")
		b.rounds(30, time.Second, good)
		tells("well again", "restored 7→8 <nil>")
		b.rounds(3, time.Second, good)
		tells("and on")
		b.SlowStart()
		b.rounds(5, time.Second, good)
		tells("after an outage")
		b.rounds(30, 10*time.Second, good)
		if len(b.told) == 0 || b.told[0] != "lowered 8→7 answers take 7824 ms, and took 1029 ms" {
			t.Errorf("slow: told %q", b.told)
		}
	})
}

func TestAWaiterLeavesInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 1)
		first := b.acquire()
		ctx, cancel := context.WithCancel(t.Context())
		left := make(chan error, 5)
		for range 5 {
			go func() {
				_, err := b.Acquire(ctx)
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
		first.Release(good)
		wantLimits(t, "afterwards", b.rounds(3, time.Second, good), 1, 1, 1)
	})
}

// A permit that is given to a waiter who leaves at that moment is passed on.
func TestNoPermitIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 100 {
			s := &semaphore{limit: 1, taken: 1}
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error)
			go func() {
				err := s.acquire(ctx)
				if err == nil {
					s.release()
				}
				ended <- err
			}()
			synctest.Wait()
			cancel() // and before it has left, it is let through
			s.release()
			<-ended
			if s.taken != 0 || len(s.queue) != 0 {
				t.Fatalf("%d taken, %d wait", s.taken, len(s.queue))
			}
		}
	})
}

func TestAShortHoldIsWaitedForAndALongOneIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 8)
		cause := errors.New("come back later")
		hold := func(long time.Duration) { b.acquire().Release(Outcome{HoldFor: long, HoldCause: cause}) }
		hold(longestWait)
		start := time.Now()
		b.acquire().Release(good)
		if took := time.Since(start); took != longestWait {
			t.Errorf("waited for %v, want %v", took, longestWait)
		}
		hold(time.Hour)
		_, err := b.Acquire(t.Context())
		if held, is := errors.AsType[*HeldError](err); !is || !errors.Is(held.Cause, cause) || !errors.Is(err, cause) || b.taken != 0 {
			t.Errorf("got %v, and %d permits are not given back", err, b.taken)
		}
		if until, why := b.Hold(); time.Until(until) != time.Hour || !errors.Is(why, cause) {
			t.Errorf("held until %v: %v", until, why)
		}
		time.Sleep(time.Hour - longestWait)
		if until, why := b.Hold(); !until.IsZero() || why != nil {
			t.Errorf("held until %v: %v, though that is waited for", until, why)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := b.Acquire(ctx); !errors.Is(err, context.DeadlineExceeded) || b.taken != 0 {
			t.Errorf("got %v, and %d permits are not given back", err, b.taken)
		}
	})
}

// A shorter hold does not end a longer one.
func TestTheLongestHoldCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 2)
		first, second := b.acquire(), b.acquire()
		first.Release(Outcome{HoldFor: time.Hour, HoldCause: errTooMuch})
		second.Release(Outcome{HoldFor: time.Minute, HoldCause: errTooMuch})
		if until, _ := b.Hold(); time.Until(until) != time.Hour {
			t.Errorf("held for %v", time.Until(until))
		}
	})
}

// A quota lowers what is configured, and never raises it.
func TestAQuotaLowersTheRate(t *testing.T) {
	for _, row := range []struct {
		configured, quota float64
		want              time.Duration // between two requests
	}{
		{0, 1, time.Second * 10 / 9}, {5, 1, time.Second * 10 / 9}, {0.25, 1, 4 * time.Second}, {0.25, 0, 4 * time.Second}, {0, 0, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			var told []Change
			l := New(Config{Concurrency: 1, RateLimit: row.configured, Changed: func(c Change) { told = append(told, c) }})
			start := time.Now()
			for range 3 {
				permit, err := l.Acquire(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				permit.Release(Outcome{Result: Failed, Err: errTooMuch, Rate: row.quota})
			}
			if got := l.Interval(); got != row.want || time.Since(start) < got || len(told) > 1 || (len(told) == 1) != (row.quota == 1 && row.configured != 0.25) {
				t.Errorf("%+v: %v between two requests, three took %v; told %v", row, got, time.Since(start), told)
			}
		})
	}
}
