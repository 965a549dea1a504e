package cli

import (
	"strings"
	"testing"
	"time"

	"jobwatch/internal/relay"
	"jobwatch/internal/web"
)

func TestRelayStatusSaysHowOldItIs(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) *time.Time { return new(now.Add(-d)) }
	for _, row := range []struct {
		seen   *time.Time
		reason string
		want   string
	}{
		{ago(2 * time.Second), "", "host-1  -"},
		{ago(10 * time.Second), "HTTP 503", "host-1  HTTP 503"},
		{ago(-time.Minute), "", "host-1  -"}, // NATS's clock is ahead
		{ago(11 * time.Second), "", "host-1  not heard of for 11 s"},
		{ago(200 * time.Second), "HTTP 503", "host-1  not heard of for 3 min; HTTP 503"},
		{ago(150 * time.Minute), "", "host-1  not heard of for 2 h"},
		{ago(80 * time.Hour), "", "host-1  not heard of for 3 days"},
		{nil, "", "host-1  it has never run"},
	} {
		var out strings.Builder
		r := web.Relay{Status: relay.Status{Name: "ops", State: relay.Delivering, Since: now, Seen: row.seen, Holder: "host-1", Reason: row.reason}, To: "webhook"}
		if err := printRelays(&out, []web.Relay{r}, now); err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimSpace(out.String()); !strings.HasSuffix(got, row.want) {
			t.Errorf("got %s\nwant at its end %s", got, row.want)
		}
	}
}
