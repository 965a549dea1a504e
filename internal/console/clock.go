package console

import (
	"fmt"
	"time"
)

// Clock says times to people: in their zone, which it names, or in UTC.
type Clock struct {
	Zone  *time.Location
	Now   func() time.Time
	Short bool // a column's time is short, in the zone that its head names; else it is RFC 3339
}

// NewClock is local, or of UTC.
func NewClock(utc, short bool) Clock {
	c := Clock{Zone: time.Local, Now: time.Now, Short: short}
	if utc {
		c.Zone = time.UTC
	}
	return c
}

// Moment is a time with date and zone; "" for none.
func (c Clock) Moment(t *time.Time) string {
	if t == nil || t.IsZero() {
		return ""
	}
	return t.In(c.Zone).Format("2006-01-02 15:04:05 MST")
}

// Cell is a time for a column: short, it is the time of today, and else as much of the date as is needed.
func (c Clock) Cell(t *time.Time) string {
	if t == nil || t.IsZero() {
		return ""
	}
	at, now := t.In(c.Zone), c.Now().In(c.Zone)
	switch {
	case !c.Short:
		return at.Format(time.RFC3339)
	case at.Format(time.DateOnly) == now.Format(time.DateOnly):
		return at.Format(time.TimeOnly)
	case at.Year() == now.Year():
		return at.Format("01-02 15:04")
	default:
		return at.Format(time.DateOnly)
	}
}

// Head is a column's name, with the zone where its times do not say it.
func (c Clock) Head(name string) string {
	if !c.Short {
		return name
	}
	return name + " " + c.Now().In(c.Zone).Format("MST")
}

// Span is a duration in two units at most; "" for what is no time.
func Span(d time.Duration) string {
	d = d.Round(time.Second)
	seconds := int(d / time.Second)
	switch {
	case d < 0:
		return ""
	case d < time.Minute:
		return fmt.Sprintf("%ds", seconds)
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", seconds/60, seconds%60)
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh%02dm", seconds/3600, seconds/60%60)
	default:
		return fmt.Sprintf("%dd%02dh", seconds/86400, seconds/3600%24)
	}
}
