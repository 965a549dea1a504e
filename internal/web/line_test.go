package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"jobwatch/internal/job"
	"jobwatch/internal/stream"
)

// wantsFrame reads on to a frame of that name, whose data it returns.
func (l *listener) wantsFrame(name string) string {
	l.w.Helper()
	for {
		if got, data := l.frame(); got == name {
			return data
		}
	}
}

func TestLine(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.LineEvery = 10 * time.Millisecond })
	w.sees(running(71))
	w.sent()
	l := w.followsAt("/api/v1/live", "")
	name, data := l.frame()
	var is status
	if err := json.Unmarshal([]byte(data), &is); name != "status" || err != nil || is.Version != "test" {
		t.Fatalf("it begins with %s %s", name, data)
	}
	if name, data := l.frame(); name != "progress" || data != `[["prod",71,41.5]]` {
		t.Fatalf("then comes %s %s", name, data)
	}
	w.joined(1)
	w.commServe.is(running(72))
	w.sees(state(71, "Pending"))
	for told := ""; !strings.Contains(told, "prod/71 Pending") || !strings.Contains(told, "prod/72 Running"); { // and what came before, where that came late
		told += l.words(l.wantsFrame("event")) + ", "
	}
	if l.lastID == "" {
		t.Error("an event has no id")
	}
	if data := l.wantsFrame("progress"); data != `[["prod",71,null],["prod",72,41.5]]` && data != `[["prod",71,null]]` {
		t.Errorf("progress is %s", data)
	}
	l.wantsFrame("status")
}

// A line goes on where the table ended, or where it was itself: in a header, for a browser does not change the address.
func TestLineGoesOn(t *testing.T) {
	w := newWorld(t)
	w.server.live.size = 2 // what lies before comes from the stream
	for n := range 10 {
		w.sees(state(71, []job.Text{"Waiting", "Running"}[n%2]))
	}
	w.sent()
	for _, row := range []struct {
		query, lastID string
		first         string
	}{
		{"", "", ""}, {"?from=11", "", ""}, {"?from=1", "10", ""}, {"?from=12", "", "gone"}, {"", "90", "gone"}, {"?from=3", "90", "gone"},
		{"?from=9", "", "9"}, {"?from=2", "", "2"}, {"?from=2", "7", "8"}, {"", "3", "4"},
	} {
		l := w.followsAt("/api/v1/live"+row.query, row.lastID)
		if row.first == "" {
			w.joined(1)
			l.body.Close()
			w.joined(0)
			continue
		}
		for {
			name, _ := l.frame()
			if name == "gone" || name == "event" {
				if got := name + l.lastID; got != row.first && got != "event"+row.first {
					t.Errorf("%s, %q: begins with %s, want %s", row.query, row.lastID, got, row.first)
				}
				break
			}
		}
		l.body.Close()
		w.joined(0)
	}
	for _, query := range []string{"from=x", "from=0", "from=-1"} {
		if code, body := w.get("/api/v1/live?" + query); code != http.StatusBadRequest || !strings.Contains(body, "wants a sequence") {
			t.Errorf("%s: %d %s", query, code, body)
		}
	}
}

func TestLineDoesNotGoBackFar(t *testing.T) {
	is := stream.Info{First: 1000, Last: 50_000}
	for from, want := range map[uint64]bool{50_001: false, 50_002: true, 50_000: false, 30_001: false, 30_000: true, 999: true} {
		if got := (&pipe{wanted: wanted{from: from}, behind: lineBehind}).isBehind(is); got != want {
			t.Errorf("from %d: got %t", from, got)
		}
	}
	if (&pipe{wanted: wanted{from: 1}}).isBehind(is) {
		t.Error("the events go back to the begin")
	}
}

func TestProgressOfManyLines(t *testing.T) {
	w := newWorld(t)
	var b progressBoard
	read := func(n int) (string, int) {
		b.read = time.Time{}
		changed, now := b.since(n, w.server.Pollers())
		return string(changed), now
	}
	wants := func(n int, want string) int {
		t.Helper()
		got, now := read(n)
		if got != want {
			t.Errorf("since %d: got %s, want %s", n, got, want)
		}
		return now
	}
	first := wants(0, "")
	w.commServe.is(running(72))
	w.sees(running(71))
	second := wants(first, `[["prod",71,41.5],["prod",72,41.5]]`)
	wants(second, "")
	further := running(71)
	*further.PercentComplete = 50
	w.sees(further)
	third := wants(second, `[["prod",71,50]]`)
	wants(first, `[["prod",71,41.5],["prod",72,41.5],["prod",71,50]]`)
	further.PercentComplete = nil
	w.commServe.is(ended(72, "Completed", time.Now()))
	w.sees(further)
	wants(third, `[["prod",71,null]]`)
	wants(0, `[["prod",71,null]]`)
	for n := range framesKept {
		further.PercentComplete = new(float64(n))
		w.sees(further)
		read(0)
	}
	wants(first, fmt.Sprintf(`[["prod",71,%d]]`, framesKept-1)) // what it missed is not kept: all
}
