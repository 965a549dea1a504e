package config

import (
	"strings"
	"testing"
	"time"
)

func TestSchedulesComeWhenTheyShould(t *testing.T) {
	from := time.Date(2026, 11, 23, 14, 0, 10, 0, time.UTC)
	for spec, want := range map[string]string{
		"@every 30s":                       "2026-11-23T14:00:40Z",
		" @every 1m30s ":                   "2026-11-23T14:01:40Z",
		"*/5 * * * *":                      "2026-11-23T14:05:00Z",
		"*/15 * * * * *":                   "2026-11-23T14:00:15Z",
		"CRON_TZ=Asia/Tokyo 0 5 * * *":     "2026-11-23T20:00:00Z",
		"TZ=Asia/Tokyo 30 0 5 * * *":       "2026-11-23T20:00:30Z",
		"CRON_TZ=Asia/Tokyo   0 5 * * MON": "2026-11-29T20:00:00Z",
		"CRON_TZ=UTC @hourly":              "2026-11-23T15:00:00Z",
		"CRON_TZ=UTC 0 0 29 2 *":           "2028-02-29T00:00:00Z",
	} {
		s, err := ParseSchedule(spec)
		if err != nil {
			t.Errorf("%q: %v", spec, err)
			continue
		}
		if got := s.Next(from).UTC().Format(time.RFC3339); got != want {
			t.Errorf("%q: got %s, want %s", spec, got, want)
		}
	}
}

func TestScheduleErrors(t *testing.T) {
	const write = `; write five fields ("*/5 * * * *"), six with seconds first, or "@every 30s"`
	for _, row := range []row{
		{"@every 5", `time: missing unit in duration; try "@every 5s"`},
		{"@every 1d", `time: unknown unit "d" in duration; try "@every 24h"`},
		{"@every often", `time: invalid duration; write it like "@every 30s"`},
		{"CRON_TZ=UTC @every 5", `time: missing unit in duration; try "@every 5s"`},
		{"@every 500ms", `less than a second would be rounded up in silence; try "@every 1s"`},
		{"@every 0s", `less than a second would be rounded up in silence; try "@every 1s"`},
		{"@every -5s", `less than a second would be rounded up in silence; try "@every 1s"`},
		{"@every 90500ms", `parts of a second would be cut off in silence; try "@every 1m30s"`},
		{"0 0 30 2 *", "that time never comes; is there such a day in that month?"},
		{", * * * *", "that time never comes; is there such a day in that month?"},
		{"CRON_TZ=Europe/Nowhere 0 5 * * *", `unknown time zone "Europe/Nowhere"; write it like Europe/Berlin or UTC`},
		{"CRON_TZ= 0 5 * * *", `unknown time zone ""; write it like Europe/Berlin or UTC`},
		{"TZ=UTC", `a time zone without a time; try "CRON_TZ=Europe/Berlin 0 5 * * *"`},
		{"", "empty spec string" + write},
		{"* * * *", "expected 5 to 6 fields, found 4: [* * * *]" + write},
		{"61 * * * *", "end of range (61) above maximum (59): 61" + write},
		{"a * * * *", `"a" is no number` + write},
		{"@reboot", "unrecognized descriptor: @reboot" + write},
		{"CRON_TZ=UTC ", `a time zone without a time; try "CRON_TZ=Europe/Berlin 0 5 * * *"`},
	} {
		_, err := ParseSchedule(row.text)
		if err == nil {
			t.Errorf("%q: accepted", row.text)
			continue
		}
		if got := err.Error(); got != row.want {
			t.Errorf("%q\n got %s\nwant %s", row.text, got, row.want)
		}
	}
}

func FuzzParseSchedule(f *testing.F) {
	for _, spec := range []string{"@every 30s", "*/5 * * * *", "TZ=UTC", "CRON_TZ=UTC ", "0 0 30 2 *", "a-b/c,d * * * * *"} {
		f.Add(spec)
	}
	f.Fuzz(func(t *testing.T, spec string) {
		s, err := ParseSchedule(spec)
		if err != nil && (s != nil || strings.TrimSpace(err.Error()) == "") {
			t.Errorf("%q: %v with %v", spec, s, err)
		}
		if err == nil && s.Next(time.Now()).IsZero() {
			t.Errorf("%q never comes", spec)
		}
	})
}
