package web

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"jobwatch/internal/relay"
)

func TestCheckOfARelay(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	before := func(d time.Duration) *time.Time { return new(now.Add(-d)) }
	since := now.Add(-time.Minute)
	for _, row := range []struct {
		relay relay.Status
		want  check
	}{
		{relay.Status{State: relay.Delivering}, check{"relay ops", ok, ""}},
		{relay.Status{State: relay.Starting}, check{"relay ops", ok, ""}},
		{relay.Status{State: relay.Standby, Holder: "b"}, check{"relay ops", ok, ""}},
		{relay.Status{State: relay.Delivering, Pending: 3, Oldest: before(5 * time.Minute)}, check{"relay ops", ok, ""}},
		{relay.Status{State: relay.Delivering, Pending: 3, Oldest: before(301 * time.Second)}, check{"relay ops", note, "3 events wait, the oldest for 5m1s"}},
		{relay.Status{State: relay.Delivering, Dead: 2}, check{"relay ops", note, "2 dead letters; list them with: watcher relay dead ops"}},
		{relay.Status{State: relay.Absent, Since: since, Reason: "HTTP 503"}, check{"relay ops", note, "away since 2026-11-30T11:59:00Z: HTTP 503"}},
		{relay.Status{State: RelayStopped, Since: since, Reason: "slack.token_file: t: permission denied"},
			check{"relay ops", note, "stopped since 2026-11-30T11:59:00Z: slack.token_file: t: permission denied"}},
		{relay.Status{State: relay.Off, Since: since, Dead: 1}, check{"relay ops", note, "off since 2026-11-30T11:59:00Z; 1 dead letters; list them with: watcher relay dead ops"}},
		{relay.Status{State: relay.Absent, Alarm: true, Reason: "audit-1.jsonl: line 3 was changed", Dead: 1},
			check{"relay ops", red, "stands still: audit-1.jsonl: line 3 was changed; 1 dead letters; list them with: watcher relay dead ops"}},
	} {
		row.relay.Name = "ops"
		if got := (Relay{Status: row.relay}).check(now); got != row.want {
			t.Errorf("%+v:\n got %+v\nwant %+v", row.relay, got, row.want)
		}
	}
}

func TestRelaysAreShown(t *testing.T) {
	ops := Relay{Status: relay.Status{Name: "ops", State: relay.Absent, Since: time.Now().UTC(), Reason: "HTTP 503", Pending: 7, Dead: 1, Holder: "host-1"}, To: "webhook"}
	w := newWorld(t, func(c *Config) { c.Relays = func() []Relay { return []Relay{ops} } })
	w.poll()
	w.becomes(http.StatusOK, "note  relay ops: away since ")
	_, body := w.get("/api/v1/status")
	var got status
	w.must(json.Unmarshal([]byte(body), &got))
	if len(got.Relays) != 1 || got.Relays[0].Name != "ops" || got.Relays[0].Pending != 7 || !strings.Contains(body, `"oldest":null`) {
		t.Errorf("got %s", body)
	}
}
