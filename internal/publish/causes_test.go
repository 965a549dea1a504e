package publish

import (
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"
)

func TestACauseIsNamedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logbook
		c := causes{log: log.logger()}
		met := func(times int, err error) {
			for range times {
				c.report(slog.LevelWarn, "waits", err)
			}
		}
		named := func(want int) {
			t.Helper()
			if got := log.count("waits"); got != want {
				t.Errorf("%d lines, want %d", got, want)
			}
		}
		for n := range 9 {
			met(1, fmt.Errorf("message %d is missing", n))
		}
		named(1)
		met(991, errors.New("message 7 is missing"))
		named(4) // at 1, 10, 100 and 1,000
		if log.count("count=1000") != 1 {
			t.Error("the last does not say how often it was met")
		}
		met(3, errors.New("something else"))
		named(5)
		c.recovered()
		met(1, errors.New("something else"))
		named(5) // it comes and goes
		c.recovered()
		time.Sleep(namedAgainAfter)
		met(2, errors.New("something else"))
		named(6)
	})
}
