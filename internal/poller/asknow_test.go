package poller

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jobwatch/internal/commvault"
	"jobwatch/internal/limiter"
)

// answersPeople has the CommServe answer them, and counts how often.
func (b *bench) answersPeople(err error) (asked *int) {
	asked = new(int)
	b.AskRaw = func(context.Context, int64) (commvault.Raw, error) {
		*asked++
		return commvault.Raw{}, err
	}
	return asked
}

// Polls that leave no room are waited for, and not for ever; and it takes no room when it is done.
func TestAskNowWaitsForAPermit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Concurrency = 1 })
		asked := b.answersPeople(errAway)
		for range 2 {
			if _, err := b.AskNow(t.Context(), 71); !errors.Is(err, errAway) {
				t.Errorf("got %v", err)
			}
		}
		poll := b.acquire()
		began := time.Now()
		if _, err := b.AskNow(t.Context(), 71); !errors.Is(err, ErrNoTurn) || *asked != 2 || time.Since(began) != longestTurn {
			t.Errorf("beside a poll: %v after %v, asked %d times", err, time.Since(began), *asked)
		}
		poll.Release(limiter.Outcome{})
		b.isHeld(time.Hour)
		began = time.Now()
		if _, err := b.AskNow(t.Context(), 71); !errors.Is(err, ErrNoTurn) || !strings.Contains(err.Error(), "HTTP 429") || *asked != 2 || time.Since(began) > 0 {
			t.Errorf("in a hold: %v after %v, asked %d times", err, time.Since(began), *asked)
		}
	})
}

// What people ask for is no sign that the schedule runs.
func TestAskNowIsNoSignOfLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.cycle()
		before, asked := b.FreshUntil(), b.answersPeople(nil)
		passes(time.Minute)
		if _, err := b.AskNow(t.Context(), 71); err != nil || *asked != 1 {
			t.Errorf("asked %d times, %v", *asked, err)
		}
		if after := b.FreshUntil(); !after.Equal(before) {
			t.Errorf("fresh until %v, was %v", after, before)
		}
	})
}

// A job's number names another job on another CommServe: until it is known which one answers, people are told what the polls know.
func TestAskNowAsksTheOneWantedOnly(t *testing.T) {
	server := &which{guid: "BBBB"}
	b := newBench(t, func(c *Config) { c.Identify, c.GUID = server.ask, "AAAA" })
	asked := b.answersPeople(nil)
	refused := func(want string) {
		t.Helper()
		if _, err := b.AskNow(t.Context(), 71); err == nil || !strings.Contains(err.Error(), want) || *asked != 0 {
			t.Errorf("got %v, asked %d times; want %s", err, *asked, want)
		}
	}
	refused("not said yet which")
	b.cycle()
	refused("has the GUID BBBB and not AAAA")
	server.guid = "AAAA"
	b.cycle()
	if _, err := b.AskNow(t.Context(), 71); err != nil || *asked != 1 {
		t.Errorf("got %v, asked %d times", err, *asked)
	}
}
