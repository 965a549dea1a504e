package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// parseDuration reads a Go duration; the error says how text would be one, with before in front.
func parseDuration(before, text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err == nil {
		return d, nil
	}
	// An error shows the value in front already.
	problem := strings.TrimSuffix(err.Error(), " "+strconv.Quote(text))
	for _, mended := range []string{text + "s", daysInHours(text)} {
		if _, err := time.ParseDuration(mended); err == nil {
			return 0, fmt.Errorf("%s; try %q", problem, before+mended)
		}
	}
	return 0, fmt.Errorf("%s; write it like %q", problem, before+"30s")
}

// daysInHours is "168h" for "7d", which Go does not know, and else empty.
func daysInHours(text string) string {
	days, found := strings.CutSuffix(text, "d")
	n, err := strconv.Atoi(days)
	if !found || err != nil {
		return ""
	}
	return fmt.Sprintf("%dh", 24*n)
}

// short writes 168h, where Go has 168h0m0s.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
