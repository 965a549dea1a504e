package commvault

import (
	"net/http"
	"testing"
	"time"
)

func TestTheClockIsReadOffAnswers(t *testing.T) {
	noon := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	answer := func(date, age string) *http.Response {
		return &http.Response{Header: http.Header{"Date": {date}, "Age": {age}}}
	}
	c := newClient(t, Config{})
	if _, known := c.Ahead(); known {
		t.Error("a clock is known before any answer")
	}
	for _, row := range []struct {
		date, age       string
		asked, answered time.Duration // after noon
		want            time.Duration
	}{
		{"Mon, 30 Nov 2026 13:00:00 GMT", "", 0, time.Second, time.Hour},
		{"Mon, 30 Nov 2026 11:59:00 GMT", "", 0, 3 * time.Second, -time.Minute - time.Second},
		{"Mon, 30 Nov 2026 18:00:00 GMT", "7200", 0, 0, -time.Minute - time.Second}, // a cache's: the last one stays
		{"yesterday", "", 0, 0, -time.Minute - time.Second},
		{"Mon, 30 Nov 2026 12:00:10 GMT", "", 10 * time.Second, 11 * time.Second, 0},
	} {
		c.clock.observe(answer(row.date, row.age), noon.Add(row.asked), noon.Add(row.answered))
		if ahead, known := c.Ahead(); !known || ahead != row.want {
			t.Errorf("Date %q, Age %q: %v ahead (known: %v), want %v", row.date, row.age, ahead, known, row.want)
		}
	}
}
