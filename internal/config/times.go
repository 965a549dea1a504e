package config

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

var crontab = cron.NewParser(cron.SecondOptional | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)

// ParseSchedule reads a schedule as robfig/cron does: five fields, seconds before them if wanted,
// @hourly and its like, @every with a Go duration, and TZ= or CRON_TZ= in front.
//
// It refuses what cron takes and then does otherwise: a time that never comes, and an @every that
// is not whole seconds. The error gives the reason and what to write, and leaves naming spec to the caller.
func ParseSchedule(spec string) (cron.Schedule, error) {
	spec = strings.TrimSpace(spec)
	times, err := checkZone(spec)
	if err != nil {
		return nil, err
	}
	if every, ok := strings.CutPrefix(times, "@every "); ok {
		if err := checkEvery(every); err != nil {
			return nil, err
		}
	}
	schedule, err := crontab.Parse(spec)
	if err != nil {
		return nil, fmt.Errorf(`%s; write five fields ("*/5 * * * *"), six with seconds first, or "@every 30s"`, cronReason(err))
	}
	if schedule.Next(time.Now()).IsZero() {
		return nil, errors.New("that time never comes; is there such a day in that month?")
	}
	return schedule, nil
}

// checkZone gives the spec behind its time zone. The parser panics where nothing stands behind it.
func checkZone(spec string) (times string, err error) {
	name, found := strings.CutPrefix(spec, "CRON_TZ=")
	if !found {
		name, found = strings.CutPrefix(spec, "TZ=")
	}
	if !found {
		return spec, nil
	}
	zone, times, found := strings.Cut(name, " ")
	if !found {
		return "", errors.New(`a time zone without a time; try "CRON_TZ=Europe/Berlin 0 5 * * *"`)
	}
	if _, err := time.LoadLocation(zone); err != nil || zone == "" {
		return "", fmt.Errorf("unknown time zone %q; write it like Europe/Berlin or UTC", zone)
	}
	return strings.TrimSpace(times), nil
}

// checkEvery is stricter than cron, which rounds such an interval in silence.
func checkEvery(every string) error {
	d, err := parseDuration("@every ", every)
	if err != nil {
		return err
	}
	if d < time.Second {
		return errors.New(`less than a second would be rounded up in silence; try "@every 1s"`)
	}
	if d%time.Second != 0 {
		return fmt.Errorf("parts of a second would be cut off in silence; try %q", "@every "+short(d.Truncate(time.Second)))
	}
	return nil
}

// cronReason leaves out which of Go's functions the parser used.
func cronReason(err error) string {
	reason, _, _ := strings.Cut(err.Error(), ": strconv.")
	number, found := strings.CutPrefix(reason, "failed to parse int from ")
	if found {
		return strconv.Quote(number) + " is no number"
	}
	return reason
}

// parseDuration reads a Go duration; the error says how text would be one, with before in front.
func parseDuration(before, text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err == nil {
		return d, nil
	}
	// An error shows the value in front already.
	problem := strings.TrimSuffix(err.Error(), " "+strconv.Quote(text))
	better := []string{text + "s"}
	if count, found := strings.CutSuffix(text, "d"); found { // Go knows no days
		if days, err := strconv.Atoi(count); err == nil {
			better = append(better, fmt.Sprintf("%dh", 24*days))
		}
	}
	for _, better := range better {
		if _, err := time.ParseDuration(better); err == nil {
			return 0, fmt.Errorf("%s; try %q", problem, before+better)
		}
	}
	return 0, fmt.Errorf("%s; write it like %q", problem, before+"30s")
}

var zeros = regexp.MustCompile(`(h)0m0s$|(m)0s$`)

// short writes 168h, where Go has 168h0m0s.
func short(d time.Duration) string { return zeros.ReplaceAllString(d.String(), "$1$2") }
